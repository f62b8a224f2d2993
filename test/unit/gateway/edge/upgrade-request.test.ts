import { describe, expect, it } from 'vitest';
import { headerLines } from '../../../../src/gateway/edge/header-lines.js';
import { ignoredWarnings } from '../../../../src/gateway/edge/query.js';
import { parseRequest, type UpgradeRequest } from '../../../../src/gateway/edge/upgrade-request.js';

const NO_HEADERS = { authorization: '', apiKey: '', subprotocols: '' };

/** The request, which is well formed. */
function asked(path: string, query = '', headers: Partial<typeof NO_HEADERS> = {}): UpgradeRequest {
  const request = parseRequest(path, query, { ...NO_HEADERS, ...headers });
  if ('status' in request) throw new Error(request.message);
  return request;
}

describe('P9 the query', () => {
  it.each([
    ['/ws/quotes', 'symbols=AAPL,MSFT', ['AAPL', 'MSFT']],
    ['/ws/quotes', 'symbols=AAPL&symbols=MSFT', ['AAPL', 'MSFT']],
    ['/ws/quotes', 'symbol=AAPL&symbols=MSFT,AAPL', ['AAPL', 'MSFT']],
    ['/ws/trades', 'symbol=AAPL', ['AAPL']],
    ['/ws/trades', '', []],
    ['/ws/analytics', 'channel=alerts&channels=lp-performance', ['alerts', 'lp-performance']],
  ])('P9 of %s?%s names %j', (path, query, symbols) => {
    expect(asked(path, query)).toMatchObject({ symbols, ignored: [], problem: undefined });
  });

  it('P9 names no symbol where it lists none', () => {
    for (const query of ['symbols=', 'symbol=', 'symbols=,&symbol= ']) {
      expect(asked('/ws/trades', query).problem).toMatchObject({ status: 400, code: 'missing_symbol' });
    }
  });

  it.each([
    ['/ws/markets/A', 'Depth=25', ['Depth']],
    ['/ws/markets/A', 'depth=25&symbols=B', ['symbols']],
    ['/ws/trades', 'depth=25&symbols=A', ['depth']],
    ['/ws', 'symbols=A&channels=alerts&x', ['symbols', 'channels', 'x']],
    ['/ws', 'timestamps=true&explain=yes', ['timestamps', 'explain']],
    ['/ws', 'timestamps=0&explain=0', []],
    ['/ws', '__proto__=1&constructor=2', ['__proto__', 'constructor']],
    ['/ws/markets/A', 'depth=25&depth=10', ['depth']],
    ['/ws/markets/A', 'depth=25&depth=25', []],
    ['/ws/orders', 'token=a&api_key=b&format=json&class=100ms', []],
  ])('P9 of %s?%s has members without effect: %j', (path, query, ignored) => {
    expect(asked(path, query).ignored).toEqual(ignored);
  });

  it('P9 has its first value where a member is repeated', () => {
    expect(asked('/ws/markets/A', 'depth=25&depth=10')).toMatchObject({
      bookDetail: asked('/ws/markets/A', 'depth=25').bookDetail,
    });
    expect(asked('/ws', 'token=first&token=second').token).toBe('first');
  });

  it('P9 may have any number of unknown members, and the warning stays short', () => {
    const query = Array.from({ length: 5000 }, (_, i) => `${'x'.repeat(100)}${i}=1`).join('&');
    const { ignored } = asked('/ws', query);
    expect(ignored).toHaveLength(20);
    expect(JSON.stringify(ignoredWarnings(ignored)).length).toBeLessThan(4000);
    expect(ignoredWarnings([])).toEqual([]);
  });
});

describe('P8 subprotocols', () => {
  it('P8 R39 a token is a credential and is never confirmed', () => {
    const both = { subprotocols: 'millrace.token.a.b.c, millrace.msgpack' };
    expect(asked('/ws', '', both)).toMatchObject({
      token: 'a.b.c',
      subprotocol: 'millrace.msgpack',
      format: 'msgpack',
    });
    expect(asked('/ws', '', { subprotocols: 'millrace.token.a.b.c' })).toMatchObject({
      token: 'a.b.c',
      subprotocol: '',
    });
  });

  it('P8 the query comes first, then the subprotocol, then the header', () => {
    const headers = { subprotocols: 'millrace.token.second', authorization: 'Bearer third' };
    expect(asked('/ws', 'token=first', headers).token).toBe('first');
    expect(asked('/ws', '', headers).token).toBe('second');
    expect(asked('/ws', '', { authorization: 'Bearer third' }).token).toBe('third');
  });

  it('P8 others are ignored, and the first of ours is confirmed', () => {
    const { subprotocol } = asked('/ws', '', { subprotocols: 'graphql-ws,millrace.json , millrace.msgpack' });
    expect(subprotocol).toBe('millrace.json');
    expect(asked('/ws', '', { subprotocols: 'toString, graphql-ws' })).toMatchObject({
      subprotocol: '',
      token: undefined,
    });
  });

  it('P8 all lines of a header are read', () => {
    const headers = [
      ['sec-websocket-protocol', 'millrace.json'],
      ['host', 'x'],
      ['sec-websocket-protocol', 'millrace.token.a.b.c'],
    ] as const;
    const request = {
      forEach: (take: (key: string, value: string) => void) => {
        for (const [key, value] of headers) take(key, value);
      },
    };
    const lines = headerLines(request, 'sec-websocket-protocol', 'x-forwarded-for');
    expect(lines).toEqual({ 'sec-websocket-protocol': 'millrace.json,millrace.token.a.b.c', 'x-forwarded-for': '' });
  });
});
