/** Which encoder a source belongs to. */
import { fnv1aOfText } from '../protocol/fnv.js';

/** By the name, `<kind>:<symbol>`: a source always maps to the same encoder. */
export function shardOf(name: string, shards: number): number {
  return fnv1aOfText(name) % shards;
}
