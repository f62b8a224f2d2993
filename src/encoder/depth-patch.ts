/** A `depth_patch`. Its operations are written without `JSON.stringify`: prices and quantities are decimal texts, which need no escapes. */
import type { LevelOperation } from './book.js';
import type { Encodable, Message } from './frame-encoder.js';

export interface DepthChange {
  readonly symbol: string;
  readonly epoch: string;
  readonly prevSeq: number;
  readonly seq: number;
  readonly operations: readonly LevelOperation[];
  /** Of the book that the operations lead to. */
  readonly checksum: number;
}

export class DepthPatch implements Encodable {
  readonly #change: DepthChange;

  constructor(change: DepthChange) {
    this.#change = change;
  }

  json(): string {
    const { symbol, epoch, prevSeq, seq, checksum } = this.#change;
    let operations = '';
    for (const { op, path, value } of this.#change.operations) {
      operations += `${operations === '' ? '' : ','}{"op":"${op}","path":"${path}"`;
      operations += value === undefined ? '}' : `,"value":"${value}"}`;
    }
    return (
      `{"type":"depth_patch","symbol":${JSON.stringify(symbol)},"epoch":${JSON.stringify(epoch)},` +
      `"prev_seq":${prevSeq},"seq":${seq},"operations":[${operations}],"checksum":${checksum}}`
    );
  }

  members(): Message {
    const { symbol, epoch, prevSeq, seq, operations, checksum } = this.#change;
    return { type: 'depth_patch', symbol, epoch, prev_seq: prevSeq, seq, operations, checksum };
  }
}
