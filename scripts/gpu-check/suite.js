/**
 * What vitest's JSON report says about the CUDA half of the suite.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';

/** @import { Figures } from './run.js' */
/** @typedef {{ status: string, fullName: string, failureMessages?: string[] }} Test */

/** Tests that are skipped for a missing device or missing kernels have the reason in their name: test/support/cuda.ts. */
const LACKS_DEVICE = /\(skipped: /;

/** @param {string} file @returns {Figures} */
export function readSuite(file) {
  if (!existsSync(file)) return { passed: 0, failed: [], skipped: [] };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  /** @type {{ name: string, message?: string, status: string, assertionResults: Test[] }[]} */
  const files = report.testResults;
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  // A file that cannot be loaded has no tests.
  const broken = files.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const names = (/** @type {(test: Test) => boolean} */ which) =>
    tests.filter(which).map(({ fullName }) => fullName);
  return {
    passed: names(({ status }) => status === 'passed').length,
    failed: [...names(({ status }) => status === 'failed'), ...broken.map(({ name }) => name)],
    skipped: names(({ status }) => status !== 'passed' && status !== 'failed'),
  };
}

/** Whether tests failed, or did not use the device. @param {Figures} figures */
export function suiteFailure(figures) {
  const { passed, failed, skipped } = /** @type {{ passed: number, failed: string[], skipped: string[] }} */ (
    figures
  );
  if (failed.length > 0) return `${failed.length} tests failed: ${failed.slice(0, 3).join('; ')}`;
  const without = skipped.find((name) => LACKS_DEVICE.test(name));
  if (without) return `tests did not use the device: ${without}`;
  return passed === 0 ? 'no test passed' : undefined;
}
