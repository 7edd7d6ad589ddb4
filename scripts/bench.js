#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/bench.js';

await runScript(command);
