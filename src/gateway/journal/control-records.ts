/** Control frames that the journal records: ages and refusals. */
import type { NewRecord } from '../../threads/journal-records.js';

/** What these frames hold, as their senders write them. */
interface ControlFrame {
  readonly type?: string;
  readonly code?: string;
  readonly product?: string;
  readonly topics?: readonly string[] | number;
  readonly symbols?: readonly string[];
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
      const { code = '', product, topics, symbols } = frame;
      const names = Array.isArray(topics) ? topics : undefined;
      const topic = names?.length === 1 ? { topic: names[0] } : undefined;
      const what = names === undefined && symbols === undefined ? 'command' : 'topic';
      const because = product === undefined ? undefined : { product };
      return { k: 'refused', c, what, code, ...topic, ...because };
    }
    default:
      return undefined;
  }
}
