import { describe, expect, it } from 'vitest';
import { connected, newClient, settled } from '../../support/client-harness.js';
import { until } from '../../support/until.js';

describe('R34 tokens', () => {
  it('are asked for before each connection', async () => {
    let count = 0;
    const { network, clock } = newClient({ token: async () => `t${++count}` });
    expect((await network.accepted(1)).protocols).toEqual(['millrace.json', 'millrace.token.t1']);
    network.sockets[0]?.end(4001, 'token expired');
    clock.advanceMs(100);
    expect((await network.accepted(2)).protocols).toEqual(['millrace.json', 'millrace.token.t2']);
  });

  it('P8 R48 are never in the URL, which proxies log, unless no subprotocol can hold them', async () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.a-b_c';
    const { network } = newClient({ token });
    expect((await network.socket(1)).url.href).not.toContain(token);
    const packed = newClient({
      token,
      format: 'msgpack',
      messagePack: { pack: () => new Uint8Array(), unpack: () => ({}) },
    });
    expect((await packed.network.socket(1)).protocols).toEqual(['millrace.msgpack', `millrace.token.${token}`]);
    const odd = await newClient({ token: 'a,b' }).network.socket(1);
    expect([odd.protocols, odd.url.searchParams.get('token')]).toEqual([[], 'a,b']);
    expect((await newClient().network.socket(1)).protocols).toEqual([]);
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('no session');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no session'))],
    ['gives no text', () => undefined as unknown as string],
  ])('are asked for again when their provider %s', async (_, token) => {
    const { client, network, clock, errors } = newClient({ token });
    await until(() => client.status.state === 'waiting');
    clock.advanceMs(100);
    await until(() => client.status.attempts === 2);
    expect(errors).toEqual(['token_unavailable', 'token_unavailable']);
    expect(network.sockets.length).toBe(0);
  });

  it('that are about to expire are replaced on the live connection', async () => {
    let count = 0;
    const { client, socket, errors } = await connected({ token: () => `t${++count}` });
    const warnings: unknown[] = [];
    client.on('warning', warning => warnings.push(warning.code));
    const expiring = { type: 'warning', code: 'token_expiring', message: 'soon', expires_at: '2026-01-02T03:04:05Z' };
    socket.frames(expiring, expiring);
    await settled();
    const [auth, ...others] = socket.sent('auth');
    expect(others).toEqual([]);
    expect(auth).toMatchObject({ token: 't2' });
    socket.frames({ type: 'ack', id: auth?.id, expires_at: '2026-01-02T04:04:05Z' });
    expect(errors).toEqual([]);
    expect(warnings).toEqual(['token_expiring', 'token_expiring']);
    socket.frames(expiring);
    await settled();
    expect(socket.sent('auth').length).toBe(2);
  });

  it('that are refused are told of, and the connection goes on with the old one', async () => {
    const { client, socket, errors } = await connected({ token: () => 't' });
    socket.frames({ type: 'warning', code: 'token_expiring', message: 'soon' });
    await settled();
    socket.frames({ type: 'error', id: socket.sent('auth')[0]?.id, code: 'unauthorized', message: 'bad signature' });
    expect(errors).toEqual(['unauthorized']);
    expect(client.status.state).toBe('open');
  });

  it('of a provider that fails when it is time are told of', async () => {
    let count = 0;
    const { socket, errors } = await connected({
      token: async () => {
        if (++count > 1) throw new Error('no session');
        return 't';
      },
    });
    socket.frames({ type: 'warning', code: 'token_expiring', message: 'soon' });
    await settled();
    expect(errors).toEqual(['token_unavailable']);
    expect(socket.sent('auth')).toEqual([]);
  });

  it('that are a fixed text cannot be replaced, so the warning is all', async () => {
    const { client, socket } = await connected({ token: 't' });
    const warnings: unknown[] = [];
    client.on('warning', warning => warnings.push(warning.code));
    socket.frames({ type: 'warning', code: 'token_expiring', message: 'soon' });
    await settled();
    expect(socket.commands).toEqual([]);
    expect(warnings).toEqual(['token_expiring']);
  });
});
