/** A recording (`millrace record`) as a past feed. */
import { LineReader } from '../feed/lines.js';
import { headerFault, parseMessageLine, RECORDING_LINE_BYTES_MAX } from '../feed/recording.js';
import type { PastFeed, PastMessage } from './past-feed.js';

/** What a gateway adds to the epoch of a publisher that restarted without naming another one. */
const RESTARTED = '~';

export class RecordedFeed implements PastFeed {
  readonly name: string;
  readonly remedy =
    'A recording serves if it has every message from the first whole one of the topic on, and if publishers number their messages (headers Seq and Epoch, as millrace/publisher sends them). Without such headers, let the gateway read a stream (JETSTREAM=on), and use --jetstream.';
  readonly #file: string;
  /** Lines that are no messages. */
  malformed = 0;

  constructor(file: string) {
    this.name = file;
    this.#file = file;
  }

  /** Publishers number their messages: their epochs are those of clients, unless one restarted unseen. */
  numberingOf(epoch: string): string | undefined {
    return epoch === '' || epoch.includes(RESTARTED) ? undefined : epoch;
  }

  unknownEpoch(epoch: string): string {
    return epoch === ''
      ? 'there was no data yet'
      : `epoch ${epoch} began when a publisher restarted and named no other one, which ${this.name} does not show`;
  }

  /** A hole shows in the publisher's numbers. */
  mayHaveLost(): boolean {
    return false;
  }

  async *messages(subjects: ReadonlySet<string>): AsyncGenerator<PastMessage> {
    const reader = await LineReader.open(this.#file, RECORDING_LINE_BYTES_MAX);
    try {
      let isHeader = true;
      do {
        for (let line = reader.take(); line !== undefined; line = reader.take()) {
          if (isHeader) {
            const fault = line === 'too long' ? 'the first line is too long' : headerFault(line);
            if (fault !== undefined) throw new Error(`line 1: ${fault}`);
            isHeader = false;
            continue;
          }
          const entry = line === 'too long' ? line : parseMessageLine(line);
          if (typeof entry === 'string') {
            if (line.length > 0) this.malformed++;
            continue;
          }
          const { subject, payload, tsEventMicros, seq, epoch, contiguous } = entry.message;
          if (!subjects.has(subject)) continue;
          yield { subject, payload: new Uint8Array(payload), tsEventMicros, seq, numbering: epoch, contiguous };
        }
      } while (await reader.fill());
    } finally {
      await reader.close();
    }
  }
}
