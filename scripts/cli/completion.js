/**
 * Scripts for shell completion of commands, options and values, generated from the definitions in commander.
 * @module
 */
import { TableOption } from './option-table.js';

/** @import { Argument, Command, Option } from 'commander' */

/** Supported shells. */
export const SHELLS = /** @type {const} */ (['bash', 'zsh', 'fish']);

/**
 * An option for completion. `values`: a list, `files`, or null for other values; undefined for a flag.
 * @typedef {{ long: string, description: string, values?: readonly string[] | 'files' | null | undefined }} ShellOption
 */
/**
 * A command, or a sub-command such as `bench layer`. `values`: values of its arguments.
 * @typedef {{ path: string[], summary: string, options: ShellOption[], subcommands: ShellCommand[], values: readonly string[] | 'files' | null }} ShellCommand
 */

/**
 * The script of a shell.
 * @param {typeof SHELLS[number]} shell
 * @param {Command[]} declared
 */
export function completionScript(shell, declared) {
  const names = declared.map((command) => command.name());
  const commands = [
    ...declared.map((command) => describe([command.name()], command)),
    plain('help', 'the options of a command', [...names, 'completion']),
    plain('completion', 'print what completes commands in a shell', SHELLS),
  ];
  return { bash, zsh, fish }[shell](commands);
}

/** @param {string} name @param {string} summary @param {readonly string[]} values @returns {ShellCommand} */
function plain(name, summary, values) {
  return { path: [name], summary, options: [], subcommands: [], values };
}

/** @param {string[]} path @param {Command} command @returns {ShellCommand} */
function describe(path, command) {
  const options = command.createHelp().visibleOptions(command);
  return {
    path,
    summary: command.summary() || command.description(),
    options: options.map((option) => ({
      long: option.long ?? '',
      description: option.description,
      values: option.required || option.optional ? valuesOf(option) : undefined,
    })),
    subcommands: command.commands.map((sub) => describe([...path, sub.name()], sub)),
    values: argumentsOf(command.registeredArguments),
  };
}

/** @param {Option} option */
function valuesOf(option) {
  if (option.argChoices) return option.argChoices;
  return option instanceof TableOption && 'type' in option.spec && option.spec.type.isPath ? 'files' : null;
}

/** Arguments of commands are files and folders, or one of a list. @param {readonly Argument[]} args */
function argumentsOf([argument]) {
  if (argument === undefined) return null;
  return argument.argChoices ?? 'files';
}

/** Sub-commands and the command above them: the first that fits a line is the deepest. @param {ShellCommand[]} commands @returns {ShellCommand[]} */
function flat(commands) {
  return commands.flatMap((command) => [...flat(command.subcommands), command]);
}

/** In single quotes, for bash and zsh. @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** @param {ShellCommand[]} commands */
function bash(commands) {
  const cases = flat(commands).flatMap(({ path, options, subcommands, values }) => {
    const name = path.join(' ');
    const lines = options
      .filter((option) => option.values !== undefined)
      .map((option) => `    ${quoted(`${name} ${option.long}`)}) ${answer(option.values ?? null)} ;;`);
    const words = [...subcommands.map((sub) => sub.path.at(-1)), ...options.map(({ long }) => long)];
    const rest = values === null || subcommands.length > 0 ? '' : `; ${answer(values)}`;
    return [...lines, `    ${quoted(`${name} `)}*) words ${quoted(words.join(' '))}${rest} ;;`];
  });
  /** @param {readonly string[] | 'files' | null} values */
  function answer(values) {
    if (values === null) return ':';
    return values === 'files' ? 'files' : `words ${quoted(values.join(' '))}`;
  }
  const parents = flat(commands).filter(({ subcommands }) => subcommands.length > 0);
  const deeper = parents.map(({ path }) => quoted(path.join(' '))).join('|');
  const names = commands.map(({ path }) => path[0]).join(' ');
  return `# Completes dyconv in bash: eval "$(npx dyconv completion bash)"
_dyconv() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path="\${COMP_WORDS[1]}"
  COMPREPLY=()
  words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }
  files() { compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- "$cur")); }
  if [ "$COMP_CWORD" -eq 1 ]; then words ${quoted(names)}; unset -f words files; return; fi
  case "$path" in ${deeper}) [ "$COMP_CWORD" -gt 2 ] && path="$path \${COMP_WORDS[2]}" ;; esac
  case "$path $prev" in
${cases.join('\n')}
  esac
  unset -f words files
}
complete -F _dyconv dyconv
`;
}

/** @param {ShellCommand[]} commands */
function zsh(commands) {
  /** @param {string} text */
  const inSpec = (text) => text.replace(/[[\]:\\]/g, '\\$&');
  /** @param {readonly string[] | 'files' | null} values */
  const action = (values) => {
    if (values === null) return ' ';
    return values === 'files' ? '_files' : `(${values.join(' ')})`;
  };
  /** @param {ShellCommand} command @param {number} depth @returns {string} */
  const body = (command, depth) => {
    const indent = '  '.repeat(depth);
    if (command.subcommands.length > 0) return choose(command.subcommands, depth, command.options);
    const specs = command.options.map(({ long, description, values }) =>
      values === undefined
        ? quoted(`${long}[${inSpec(description)}]`)
        : quoted(`${long}=[${inSpec(description)}]:value:${action(values)}`),
    );
    const rest = command.values === null ? [] : [quoted(`*:argument:${action(command.values)}`)];
    return `${indent}_arguments ${[...specs, ...rest].join(` \\\n${indent}  `) || ':'}`;
  };
  /** @param {ShellCommand[]} list @param {number} depth @param {ShellOption[]} options @returns {string} */
  const choose = (list, depth, options) => {
    const indent = '  '.repeat(depth);
    const names = [
      ...list.map(({ path, summary }) => quoted(`${path.at(-1)}:${inSpec(summary)}`)),
      ...options.map(({ long, description }) => quoted(`${long}:${inSpec(description)}`)),
    ];
    const cases = list.map((command) => `${indent}${command.path.at(-1)})\n${body(command, depth + 1)} ;;`);
    return `${indent}if (( CURRENT == 2 )); then
${indent}  local -a names=(${names.join(`\n${indent}    `)})
${indent}  _describe command names
${indent}  return
${indent}fi
${indent}shift words; (( CURRENT-- ))
${indent}case $words[1] in
${cases.join('\n')}
${indent}esac`;
  };
  return `#compdef dyconv
# Completes dyconv in zsh: eval "$(npx dyconv completion zsh)" after compinit
_dyconv() {
${choose(commands, 1, [])}
}
compdef _dyconv dyconv
`;
}

/** @param {ShellCommand[]} commands */
function fish(commands) {
  /** @param {string} text */
  const quote = (text) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  /** @param {readonly string[] | 'files' | null | undefined} values */
  const parameter = (values) => {
    if (values === undefined) return '';
    if (values === null) return ' -x';
    return values === 'files' ? ' -r -F' : ` -x -a ${quote(values.join(' '))}`;
  };
  const name = (/** @type {ShellCommand} */ { path }) => path.at(-1);
  const offer = (/** @type {string} */ condition, /** @type {ShellCommand} */ command) =>
    `complete -c dyconv -n ${quote(condition)} -a ${name(command)} -d ${quote(command.summary)}`;
  const lines = flat(commands).flatMap((command) => {
    const at = `__dyconv_at ${command.path.join(' ')}`;
    const { options, subcommands, values } = command;
    return [
      ...options.map(
        (option) =>
          `complete -c dyconv -n ${quote(at)} -l ${option.long.slice(2)}${parameter(option.values)} -d ${quote(option.description)}`,
      ),
      ...subcommands.map((sub) => offer(`__dyconv_after ${command.path.join(' ')}`, sub)),
      ...(values === 'files' ? [`complete -c dyconv -n ${quote(at)} -F`] : []),
      ...(Array.isArray(values) ? [`complete -c dyconv -n ${quote(at)} -a ${quote(values.join(' '))}`] : []),
    ];
  });
  return `# Completes dyconv in fish: npx dyconv completion fish > ~/.config/fish/completions/dyconv.fish
function __dyconv_after -d 'Whether these words, and no others, stand behind dyconv'
    set -l given (commandline -opc)
    set -e given[1]
    test "$given" = "$argv"
end
function __dyconv_at -d 'Whether these words stand first behind dyconv'
    set -l given (commandline -opc)
    set -e given[1]
    set -l length (count $argv)
    test (count $given) -ge $length; and test "$given[1..$length]" = "$argv"
end
complete -c dyconv -f
${commands.map((command) => offer('__dyconv_after', command)).join('\n')}
${lines.join('\n')}
`;
}
