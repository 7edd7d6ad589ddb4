#!/usr/bin/env node
import { runScript } from './cli/start.js';

await runScript('export');
