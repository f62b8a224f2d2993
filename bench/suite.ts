/** What a benchmark suite is: one value of {@link Suite}, listed in run.ts. */
import type { SuiteReport } from './report/report.js';

/** The command line, as every suite sees it; a suite uses what concerns it. Undefined: the suite's default. */
export interface BenchOptions {
  readonly quick: boolean;
  /** The whole matrix, where a suite measures a part of one by default. */
  readonly full: boolean;
  readonly rounds: number | undefined;
  /** Measured seconds of a round. */
  readonly seconds: number | undefined;
  readonly warmupSeconds: number | undefined;
  readonly clients: number | undefined;
  readonly symbols: number | undefined;
  readonly symbolsPerClient: number | undefined;
  readonly windowUpdates: number | undefined;
  readonly batchUpdates: number | undefined;
  readonly shape: string | undefined;
  readonly format: string | undefined;
  readonly workers: string;
  readonly encoders: string;
  /** Contenders to run; undefined: all. */
  readonly only: readonly string[] | undefined;
  readonly checkOrder: boolean;
  /** Updates a second of an open loop. */
  readonly rate?: number | undefined;
  /** Gateway processes of scale-out. */
  readonly gateways?: number | undefined;
}

export interface SuiteContext {
  readonly options: BenchOptions;
  /** Says what is going on, in one line. */
  progress(text: string): void;
  /** Aborted on Ctrl-C; a suite then ends its children and rejects. */
  readonly signal: AbortSignal;
}

export interface Suite {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** @throws {UsageError} for options that cannot be. */
  run(context: SuiteContext): Promise<SuiteReport>;
}

/** The command line asks for something that cannot be. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
