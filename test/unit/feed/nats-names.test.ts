import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/environment.js';
import { NatsNames } from '../../../src/feed/nats-names.js';

const names = (env: Record<string, string> = {}) => new NatsNames(readConfig({ NATS_URL: 'nats://a', ...env }).nats);

describe('N8 the names at a NATS account', () => {
  it.each([
    [{}, '$JS.API.STREAM.INFO.S', '$KV.B.sub.alice'],
    [{ NATS_JS_DOMAIN: 'hub' }, '$JS.hub.API.STREAM.INFO.S', '$JS.hub.API.$KV.B.sub.alice'],
    [{ NATS_JS_API_PREFIX: 'TRADING.API' }, 'TRADING.API.STREAM.INFO.S', 'TRADING.API.$KV.B.sub.alice'],
  ])('N8 with %o are those of JetStream’s API', (env, call, entry) => {
    expect(names(env).apiSubject('STREAM.INFO.S')).toBe(call);
    expect(names(env).entrySubject('$KV.B.sub.alice')).toBe(entry);
  });

  it('N8 of a stream’s subjects are ours without the prefix', () => {
    const prod = names({ NATS_SUBJECT_PREFIX: 'prod' });
    expect(prod.ownPatterns(['prod.md.>', 'prod.orders.*', 'uat.md.>', 'md.>'])).toEqual(['md.>', 'orders.*']);
    expect(prod.ownPatterns(['>'])).toEqual(['>']);
    expect(prod.ownPatterns(['*.md.>'])).toEqual(['md.>']);
    expect([['prod.md.>'], ['prod.md.>', 'uat.md.>'], ['>'], []].map(patterns => prod.areOwn(patterns))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it('N8 are the same without a prefix', () => {
    expect(names().ownPatterns(['md.>', 'x.y'])).toEqual(['md.>', 'x.y']);
    expect(names().areOwn(['md.>', 'x.y'])).toBe(true);
  });
});
