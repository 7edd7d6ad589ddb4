#!/usr/bin/env node
import { runScript } from './cli/command.js';
import { command } from './commands/train.js';

await runScript(command);
