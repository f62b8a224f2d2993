/** Which encoder a source lives in. */

/** FNV-1a over the name, `<kind>:<symbol>`: the same source always meets the same encoder. */
export function shardOf(name: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}
