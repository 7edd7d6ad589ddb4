#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/predict.js';

await runScript(command);
