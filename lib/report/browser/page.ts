/**
 * The script of the page, which runs in the browser behind ECharts: it draws the charts from the JSON in the page, follows
 * the color scheme, and writes tooltips. Text gets into the page as text nodes only, so a name can hold any character.
 *
 * It is compiled by the tsconfig.json of its folder, with the types of a browser, and inserted unchanged into every page: a classic
 * script, without imports.
 */

// The page brings the bundle of ECharts along.
declare const echarts: typeof import('echarts');

{
  type PageData = import('../page-data.js').PageData;
  type SchemeName = keyof PageData['schemes'];
  type Chart = ReturnType<typeof echarts.init>;

  /** The parts of an option that this script reads or adds. */
  interface Option {
    baseOption?: Option;
    title: { text: string }[];
    xAxis: { name: string }[] & { data: string[] };
    yAxis: { type?: string }[] & { data: string[] };
    legend: Record<string, unknown>;
    [key: string]: unknown;
  }

  /** The parameters of a tooltip from ECharts, for a point of a line and for a cell. */
  interface Point {
    axisIndex: number;
    color: string;
    seriesName: string;
    value: [x: number, y: number | null];
  }
  interface Cell {
    value: [column: number, row: number, strength: number, count: number];
  }

  const data: PageData = JSON.parse(document.getElementById('report-data')!.textContent!);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const charts = new Map<Element, Chart>();
  const logarithmic = new Set<string>();

  /** An option whose colors have been looked up. */
  const coloured = (value: unknown, colours: Record<string, string>): unknown => {
    if (typeof value === 'string')
      return value.startsWith('color:') ? (colours[value.slice('color:'.length)] ?? value) : value;
    if (Array.isArray(value)) return value.map((item) => coloured(item, colours));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, colours)]));
  };

  const element = (tag: string, text: string | null, parent?: Element): HTMLElement => {
    const made = document.createElement(tag);
    if (text !== null) made.textContent = text;
    parent?.append(made);
    return made;
  };

  const short = (value: number | null): string => {
    if (value === null || Number.isNaN(value)) return '-';
    const size = Math.abs(value);
    return size !== 0 && (size < 0.001 || size >= 1e6) ? value.toExponential(2) : String(+value.toFixed(4));
  };

  /** The tooltip of all lines at one place of the horizontal axis. */
  const lineTip = (option: Option) => (points: Point[]) => {
    const box = element('div', null);
    box.className = 'tip';
    element('b', `${option.xAxis[0]!.name} ${points[0]?.value[0]}`, box);
    let panel = -1;
    for (const { axisIndex, color, seriesName, value } of points) {
      if (axisIndex !== panel) {
        panel = axisIndex;
        element('b', option.title[panel]!.text, box);
      }
      const row = element('div', null, box);
      const dot = element('span', null, row);
      dot.className = 'dot';
      dot.style.background = color;
      element('span', seriesName, row);
      element('span', short(value[1]), row);
    }
    return box;
  };

  /** The tooltip of a cell of a confusion matrix. */
  const heatTip = (option: Option) => (cell: Cell) => {
    const [column, row, strength, count] = cell.value;
    const share = (100 * strength * strength).toFixed(1);
    const box = element('div', null);
    box.className = 'tip';
    element('b', `true: ${option.yAxis.data[row]}`, box);
    element('b', `predicted: ${option.xAxis.data[column]}`, box);
    element('div', `${count} ${count === 1 ? 'image' : 'images'}, ${share} % of the class`, box);
    return box;
  };

  const draw = (node: HTMLElement, scheme: SchemeName): void => {
    const id = node.dataset.chart!;
    const { kind, label, option } = data.charts[id]!;
    const { theme, colours, palette } = data.schemes[scheme];
    charts.get(node)?.dispose();
    const chart = echarts.init(node, theme, { renderer: 'svg' });
    charts.set(node, chart);
    const filled = coloured(option, colours) as Option;
    const base = filled.baseOption ?? filled;
    base.animation = false;
    base.aria = { enabled: true, label: { description: label } };
    base.tooltip = {
      trigger: kind === 'heat' ? 'item' : 'axis',
      confine: true,
      backgroundColor: palette.surface,
      borderColor: palette.line,
      textStyle: { color: palette.text },
      extraCssText: 'box-shadow:0 4px 18px rgba(0,0,0,.16);border-radius:9px;',
      formatter: kind === 'heat' ? heatTip(base) : lineTip(base),
    };
    if (kind === 'lines') {
      base.axisPointer = { link: [{ xAxisIndex: 'all' }], lineStyle: { color: palette.muted } };
      Object.assign(base.legend, {
        pageIconColor: palette.text,
        pageTextStyle: { color: palette.muted },
        inactiveColor: palette.line,
      });
      if (logarithmic.has(id)) base.yAxis[0] = { ...base.yAxis[0], type: 'log' };
    }
    chart.setOption(filled);
  };

  const nodes = [...document.querySelectorAll<HTMLElement>('[data-chart]')];
  const drawAll = (scheme: SchemeName) => {
    for (const node of nodes) draw(node, scheme);
  };
  const current = (): SchemeName => (dark.matches ? 'dark' : 'light');
  drawAll(current());
  dark.addEventListener('change', () => drawAll(current()));

  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) charts.get(target)?.resize();
  });
  for (const node of nodes) watch.observe(node);

  for (const button of document.querySelectorAll<HTMLElement>('[data-log]')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      const id = button.dataset.log!;
      if (!logarithmic.delete(id)) logarithmic.add(id);
      button.setAttribute('aria-pressed', String(logarithmic.has(id)));
      for (const node of nodes) if (node.dataset.chart === id) draw(node, current());
    });
  }

  // Paper is white, regardless of the screen.
  addEventListener('beforeprint', () => drawAll('light'));
  addEventListener('afterprint', () => drawAll(current()));
}
