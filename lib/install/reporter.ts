/**
 * Progress reports of long steps: a bar on a terminal, lines otherwise.
 * @module
 */
import type { WriteStream } from 'node:tty';
import cliProgress from 'cli-progress';

/** Receives the progress of installation steps. */
export interface Reporter {
  /** One finished sentence. */
  line(text: string): void;
  /** The progress of a step. `total` is undefined if the size is unknown. */
  progress(step: string, done: number, total: number | undefined): void;
  /** Ends the current bar, if any. */
  end(): void;
}

const LINE_EVERY_MS = 10_000;
const MB = 1e6;

/**
 * Reports to a stream, by default the standard error output, so that a command's result can be piped.
 */
export function createReporter(stream: NodeJS.WriteStream | WriteStream = process.stderr): Reporter {
  return stream.isTTY ? barReporter(stream) : lineReporter(stream);
}

/** Reports nothing. */
export const silentReporter: Reporter = { line() {}, progress() {}, end() {} };

function barReporter(stream: NodeJS.WritableStream): Reporter {
  let bar: cliProgress.SingleBar | undefined;
  let current = '';
  const end = () => {
    bar?.stop();
    bar = undefined;
    current = '';
  };
  return {
    line(text) {
      end();
      stream.write(`${text}\n`);
    },
    progress(step, done, total) {
      if (step !== current) {
        end();
        current = step;
        bar = new cliProgress.SingleBar({
          format: `${step} {bar} {percentage}% | {value}/{total} MB | ETA {eta_formatted}`,
          stream,
          barsize: 30,
          hideCursor: true,
        });
        bar.start(toMb(total ?? done), toMb(done));
        return;
      }
      if (total !== undefined) bar?.setTotal(toMb(total));
      bar?.update(toMb(done));
      if (done === total) end();
    },
    end,
  };
}

function lineReporter(stream: NodeJS.WritableStream): Reporter {
  let current = '';
  let next = 0;
  return {
    line: (text) => void stream.write(`${text}\n`),
    progress(step, done, total) {
      const now = Date.now();
      if (step !== current) {
        current = step;
        next = now + LINE_EVERY_MS;
        stream.write(`${step} ...\n`);
      } else if (now >= next && done !== total) {
        next = now + LINE_EVERY_MS;
        stream.write(`${step}: ${toMb(done)} of ${total === undefined ? '?' : toMb(total)} MB\n`);
      }
    },
    end() {},
  };
}

function toMb(bytes: number): number {
  return Math.round(bytes / MB);
}
