#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/compare.js';

await runScript(command);
