#!/usr/bin/env node
/**
 * The `dyconv` command of the package: `npx dyconv <command>` runs the script of that name. The commands that look
 * after the installation work where nothing else does.
 * @module
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Argument, Command } from 'commander';
import { guarded } from './cli/command.js';
import { COMMANDS, runScript } from './cli/commands.js';
import { SHELLS } from './cli/completion.js';
import { markBin } from './cli/invocation.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const program = new Command('npx dyconv')
  .usage('<command> [options]')
  .version(version)
  .helpCommand(false)
  .enablePositionalOptions()
  .showHelpAfterError()
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .addHelpText('after', '\nnpx dyconv help <command> lists its options.');

for (const [name, [, summary]] of Object.entries(COMMANDS)) {
  // Options and arguments are the script's: all of them are passed on as they are.
  program
    .command(name)
    .summary(summary)
    .helpOption(false)
    .argument('[args...]')
    .allowUnknownOption()
    .passThroughOptions()
    .action((args) => hand(name, args));
}

program
  .command('help')
  .summary('the options of a command')
  .argument('[command...]', 'such as train, or bench layer')
  .action(([name, ...rest]) => {
    if (name === undefined) return program.outputHelp();
    if (name === 'completion') return completion.outputHelp();
    // An unknown name is reported with the one that was probably meant.
    return name in COMMANDS ? hand(name, [...rest, '--help']) : program.parseAsync([name], { from: 'user' });
  });

const completion = program
  .command('completion')
  .summary('print what completes commands and options in a shell')
  .description('Prints a script that completes commands, options and their values in a shell.')
  .addArgument(new Argument('<shell>', 'the shell that reads it').choices([...SHELLS]))
  .addHelpText(
    'after',
    `
It completes the word dyconv: a global installation, or alias dyconv='npx dyconv'.
  bash  eval "$(npx dyconv completion bash)"                                    in ~/.bashrc
  zsh   eval "$(npx dyconv completion zsh)"                                     in ~/.zshrc, after compinit
  fish  npx dyconv completion fish > ~/.config/fish/completions/dyconv.fish`,
  );
completion.action((shell) =>
  guarded(completion, async () => {
    const { completionScript } = await import('./cli/completion.js');
    const { declaredCommands } = await import('./cli/commands.js');
    process.stdout.write(completionScript(shell, await declaredCommands()));
  })(),
);

await program.parseAsync();

/** Hands over to the script of a command. @param {string} name @param {string[]} args */
async function hand(name, args) {
  markBin();
  process.argv = [
    process.argv[0] ?? 'node',
    fileURLToPath(new URL(COMMANDS[name]?.[0] ?? '', import.meta.url)),
    ...args,
  ];
  await runScript(name).catch((error) => {
    // The package itself could not be loaded; its message names the command that fixes that.
    if (error?.name !== 'NativeError') throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
