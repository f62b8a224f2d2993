/** A journal written by the writer, with a clock that the test moves. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JournalWriter, type WriterOptions } from '../../../src/journal/writer.js';

/** 2026-11-02T10:00:00Z. */
export const START_MICROS = 1_793_613_600_000_000;

export class WrittenJournal {
  readonly folder: string;
  readonly faults: string[] = [];
  nowMicros = START_MICROS;

  constructor(folder = mkdtempSync(join(tmpdir(), 'journal-'))) {
    this.folder = folder;
  }

  /** A writer that is open. */
  async writer(options: Partial<WriterOptions> = {}): Promise<JournalWriter> {
    const writer = new JournalWriter({
      folder: this.folder,
      node: 'edge-1',
      fsync: 'off',
      segmentBytesMax: 4096,
      prune: () => Promise.resolve(),
      nowMicros: () => this.nowMicros,
      clock: () => ({ source: 'unknown', offset_us: null, error_us: null }),
      onFault: (what, cause) => this.faults.push(`${what}: ${String(cause)}`),
      ...options,
    });
    await writer.open();
    return writer;
  }

  /** Writes blocks of three records each. */
  blocks(writer: JournalWriter, count: number, c = 'c1'): void {
    for (let block = 0; block < count; block++) {
      for (let i = 0; i < 3; i++)
        writer.write(JSON.stringify({ t: this.nowMicros + i, c, k: 'command', n: block * 3 + i }));
      this.nowMicros += 150_000;
      writer.maintain();
    }
  }
}
