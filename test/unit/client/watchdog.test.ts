import { describe, expect, it } from 'vitest';
import { connected } from '../../support/client-harness.js';
import { FakeClock } from '../../support/fake-clock.js';

describe('R34 the watchdog', () => {
  it('pings a silent connection and keeps it when anything comes', async () => {
    const { client, socket, clock } = await connected();
    clock.advanceMs(9_999);
    expect(socket.sent('ping')).toEqual([]);
    clock.advanceMs(1);
    expect(socket.sent('ping').length).toBe(1);
    clock.advanceMs(4_999);
    socket.frames({ type: 'pong', time: '2026-01-02T03:04:05Z' });
    clock.advanceMs(5_000);
    expect(client.status.state).toBe('open');
    clock.advanceMs(5_000);
    expect(socket.sent('ping').length).toBe(2);
  });

  it('drops a connection that does not answer, and makes another', async () => {
    const { client, network, socket, clock, errors } = await connected();
    clock.advanceMs(15_000);
    expect(client.status.state).toBe('waiting');
    expect(socket.isTerminated).toBe(true);
    expect(errors).toEqual(['connection_failed']);
    clock.advanceMs(100);
    await network.accepted(2);
    expect(client.status.state).toBe('open');
  });

  it('does not ping while frames come', async () => {
    const { socket, clock } = await connected();
    for (let i = 0; i < 20; i++) {
      clock.advanceMs(3_000);
      socket.frames({ type: 'heartbeat', topic: 'quotes:X', epoch: 'e', seq: 1 });
    }
    expect(socket.sent('ping')).toEqual([]);
  });

  it.each([3_600_000, -3_600_000])('D10: measures silence by no clock that can be set, here by %i ms', async byMs => {
    const { client, socket, clock } = await connected();
    socket.frames({ type: 'heartbeat', topic: 'quotes:X', epoch: 'e', seq: 1 });
    clock.stepMs(byMs);
    clock.advanceMs(9_999);
    expect(socket.sent('ping')).toEqual([]);
    expect(client.status.lastFrameAgeMs).toBe(9_999);
    clock.advanceMs(1);
    expect(socket.sent('ping').length).toBe(1);
    clock.advanceMs(5_000);
    expect(client.status.state).toBe('waiting');
  });

  it('D10: takes a clock of the application that tells only the time of day', async () => {
    const whole = new FakeClock();
    const { nowMicros, setTimeout, clearTimeout } = whole;
    const clock = {
      nowMicros: nowMicros.bind(whole),
      setTimeout: setTimeout.bind(whole),
      clearTimeout: clearTimeout.bind(whole),
    };
    const { client, socket } = await connected({ clock });
    whole.advanceMs(10_000);
    expect(socket.sent('ping').length).toBe(1);
    whole.advanceMs(5_000);
    expect(client.status.state).toBe('waiting');
  });

  it('takes the intervals of the options', async () => {
    const { client, socket, clock } = await connected({ watchdog: { silenceMs: 1_000, answerMs: 200 } });
    clock.advanceMs(1_000);
    expect(socket.sent('ping').length).toBe(1);
    clock.advanceMs(200);
    expect(client.status.state).toBe('waiting');
  });

  it('forgives a stall of the application itself', async () => {
    const { client, socket, clock } = await connected();
    clock.stallMs(60_000);
    clock.advanceMs(0);
    expect(socket.sent('ping').length).toBe(1);
    socket.frames({ type: 'pong' });
    clock.advanceMs(5_000);
    expect(client.status.state).toBe('open');
  });
});
