/** Control frames that the journal records: ages and refusals. */
import type { NewRecord } from '../../threads/journal-records.js';

/** What these frames hold, as their senders write them. */
interface ControlFrame {
  readonly type?: string;
  readonly code?: string;
  readonly topics?: readonly string[] | number;
  readonly symbols?: readonly string[];
  readonly product?: string;
  readonly age_ms?: number;
}

/** The record of a control frame that connection `c` was sent; undefined: it is not recorded. */
export function recordOf(message: object, c: string): NewRecord | undefined {
  const frame = message as ControlFrame;
  switch (frame.type) {
    case 'lagging':
      return { k: 'lagging', c, age_ms: frame.age_ms ?? 0, topics: Number(frame.topics) };
    case 'fresh':
      return { k: 'fresh', c };
    case 'error': {
      const { code = '', topics, symbols, product } = frame;
      const names = Array.isArray(topics) ? topics : undefined;
      const topic = names?.length === 1 ? { topic: names[0] } : undefined;
      return {
        k: 'refused',
        c,
        what: names === undefined && symbols === undefined && product === undefined ? 'command' : 'topic',
        code,
        ...topic,
        ...(product === undefined ? undefined : { product }),
      };
    }
    default:
      return undefined;
  }
}
