#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/evaluate.js';

await runScript(command);
