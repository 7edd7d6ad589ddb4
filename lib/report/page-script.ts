/**
 * The script of the page: draws the charts that stand as JSON in the page, follows the colour scheme, and writes
 * tooltips. Text gets into the page as text nodes only, so a name can hold any character.
 * @module
 */

/** Runs in the browser, after ECharts. */
export const PAGE_SCRIPT = `
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const charts = new Map();
  const logLoss = new Set();

  // Colours stand in the options as 'colour:<name>', so that one option serves both schemes.
  const coloured = (value, colours) => {
    if (typeof value === 'string')
      return value.startsWith('colour:') ? (colours[value.slice(7)] ?? value) : value;
    if (Array.isArray(value)) return value.map((item) => coloured(item, colours));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, colours)]));
  };

  const element = (tag, text, parent) => {
    const made = document.createElement(tag);
    if (text !== null) made.textContent = text;
    parent?.append(made);
    return made;
  };

  const short = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return '-';
    const size = Math.abs(value);
    return size !== 0 && (size < 0.001 || size >= 1e6) ? value.toExponential(2) : String(+value.toFixed(4));
  };

  const lineTip = (option) => (params) => {
    const base = option.baseOption ?? option;
    const box = element('div', null);
    box.className = 'tip';
    const x = params[0]?.value[0];
    element('b', base.xAxis[0].name + ' ' + x, box);
    let panel = -1;
    for (const item of params) {
      if (item.axisIndex !== panel) {
        panel = item.axisIndex;
        element('b', base.title[panel].text, box);
      }
      const row = element('div', null, box);
      const dot = element('span', null, row);
      dot.className = 'dot';
      dot.style.background = item.color;
      element('span', item.seriesName, row);
      element('span', short(item.value[1]), row);
    }
    return box;
  };

  const heatTip = (option) => (item) => {
    const [column, row, strength, count] = item.value;
    const box = element('div', null);
    box.className = 'tip';
    element('b', 'true: ' + option.yAxis.data[row], box);
    element('b', 'predicted: ' + option.xAxis.data[column], box);
    element('div', count + (count === 1 ? ' image, ' : ' images, ') + (100 * strength * strength).toFixed(1) + ' % of the class', box);
    return box;
  };

  const draw = (node, scheme) => {
    const id = node.dataset.chart;
    const { kind, option } = data.charts[id];
    const { theme, colours, palette } = data.schemes[scheme];
    charts.get(node)?.dispose();
    const chart = echarts.init(node, theme, { renderer: 'svg' });
    charts.set(node, chart);
    const filled = coloured(option, colours);
    const base = filled.baseOption ?? filled;
    base.animation = false;
    base.aria = { enabled: true, label: { description: data.charts[id].label } };
    base.tooltip = {
      trigger: kind === 'heat' ? 'item' : 'axis',
      confine: true,
      backgroundColor: palette.surface,
      borderColor: palette.line,
      textStyle: { color: palette.text },
      extraCssText: 'box-shadow:0 4px 18px rgba(0,0,0,.16);border-radius:9px;',
      formatter: kind === 'heat' ? heatTip(filled) : lineTip(filled),
    };
    if (kind === 'lines') {
      base.axisPointer = { link: [{ xAxisIndex: 'all' }], lineStyle: { color: palette.muted } };
      base.legend.pageIconColor = palette.text;
      base.legend.pageTextStyle = { color: palette.muted };
      base.legend.inactiveColor = palette.line;
      if (logLoss.has(id)) base.yAxis[0] = { ...base.yAxis[0], type: 'log' };
    }
    chart.setOption(filled);
  };

  const nodes = [...document.querySelectorAll('[data-chart]')];
  const drawAll = (scheme) => nodes.forEach((node) => draw(node, scheme));
  const current = () => (dark.matches ? 'dark' : 'light');
  drawAll(current());
  dark.addEventListener('change', () => drawAll(current()));

  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) charts.get(target)?.resize();
  });
  for (const node of nodes) watch.observe(node);

  for (const button of document.querySelectorAll('[data-log]')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      const id = button.dataset.log;
      if (!logLoss.delete(id)) logLoss.add(id);
      button.setAttribute('aria-pressed', String(logLoss.has(id)));
      for (const node of nodes) if (node.dataset.chart === id) draw(node, current());
    });
  }

  // Paper is white, whatever the screen.
  addEventListener('beforeprint', () => drawAll('light'));
  addEventListener('afterprint', () => drawAll(current()));
})();
`;
