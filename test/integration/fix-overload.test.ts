/** R73 R10 who may log on with FIX while the gateway has more to do than it can. */
import { expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, testToken } from '../support/gateway.js';
import { PATIENCE_MS } from '../support/until.js';

it('R73 R10 a gateway that sheds load refuses new retail clients, and says when to come back', async () => {
  // A limit that every frame exceeds.
  const gateway = await startGateway({
    WORKERS: '1',
    ENCODERS: '1',
    FIX_PORT: '0',
    SYMBOLS: 'S0',
    SIM_SYMBOLS: '1',
    SIM_RATE: '200',
    OVERLOAD_LATENCY: '0.001ms',
    OVERLOAD_AFTER: '100ms',
  });
  const sockets: FixSocket[] = [];
  const newSocket = (senderCompId: string) => {
    const socket = new FixSocket(fixPortOf(gateway), senderCompId);
    sockets.push(socket);
    return socket;
  };
  try {
    const [token, retailToken] = [await testToken(), await testToken({ sub: 'bob', tier: 'retail' })];
    const webSocket = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=S0&token=${token}`);
    await webSocket.next('shedding', frame => frame.load === 'shedding', PATIENCE_MS);

    const refused = newSocket('RETAIL');
    const answer = await refused.logOn(retailToken);
    expect(answer).toMatch(/\|35=5\|.*\|58=the gateway is overloaded; log on again in \d+ s\|/);
    await refused.closed();
    expect(await gateway.metric('millrace_connections_limited_total{limit="overload"}')).toBe(1);

    const institutional = newSocket('INSTITUTIONAL');
    expect(await institutional.logOn(token)).toContain('|35=A|');
  } finally {
    for (const socket of sockets) socket.end();
    await gateway.stop();
  }
});
