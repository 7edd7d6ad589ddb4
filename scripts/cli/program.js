/**
 * The `dyconv` command of the package: `npx dyconv <command>`. Commands run in this process: with commander's executable
 * sub-commands, a child process, a training would get Ctrl-C twice, and the second ends it without a checkpoint.
 * @module
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { defineCommand, parse } from './command.js';
import { COMMANDS, loadCommand, loadCommands } from './commands.js';
import { completionScript, SHELLS } from './completion.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const words = process.argv.slice(2);
const named = words.find((word) => Object.hasOwn(COMMANDS, word));

const program = new Command('npx dyconv')
  .usage('<command> [options]')
  .version(version)
  .helpCommand(false)
  .enablePositionalOptions()
  .showHelpAfterError()
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .addHelpText('after', '\nnpx dyconv help <command> lists its options.');

// The others are declared for the list and for suggestions.
for (const [name, { summary }] of Object.entries(COMMANDS))
  program.addCommand(name === named ? await loadCommand(name) : new Command(name).summary(summary));

program
  .command('help')
  .summary('the options of a command')
  .argument('[command...]', 'such as train, or bench layer')
  .action(async (/** @type {string[]} */ path) => {
    if (path.length === 0) return program.outputHelp();
    const isKnown = program.commands.some((command) => command.name() === path[0]);
    // The error for an unknown name suggests a similar one.
    await program.parseAsync(isKnown ? [...path, '--help'] : path.slice(0, 1), { from: 'user' });
  });

const completion = defineCommand({
  name: 'completion',
  description: 'Prints a script that completes commands, options and their values in a shell.',
  argument: { name: '<shell>', description: 'the shell that reads it', choices: SHELLS },
  options: {},
  notes: `It completes the word dyconv: a global installation, or alias dyconv='npx dyconv'.
  bash  eval "$(npx dyconv completion bash)"                                    in ~/.bashrc
  zsh   eval "$(npx dyconv completion zsh)"                                     in ~/.zshrc, after compinit
  fish  npx dyconv completion fish > ~/.config/fish/completions/dyconv.fish`,
  async run(_, { args: [shell] }) {
    const script = completionScript(/** @type {typeof SHELLS[number]} */ (shell), await loadCommands());
    process.stdout.write(script);
  },
});
program.addCommand(completion.summary('print a completion script for a shell'));

await parse(
  program,
  program.commands.find((command) => command.name() === named),
  words,
);
