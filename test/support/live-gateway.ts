/** What most tests of the protocol run against: a real nats-server, a publisher on it, and a gateway that reads it. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { TokenRequest } from '../../src/auth/token.js';
import { TestClient } from './client.js';
import { startGateway, type TestGateway, testToken } from './gateway.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { TestPublisher } from './publisher.js';

/** There from the first test on; clients end with the test that opened them. */
interface LiveGateway {
  readonly gateway: TestGateway;
  readonly publisher: TestPublisher;
  readonly token: string;
  /** A client with the token, unless the query names another. */
  open(path: string, query?: Record<string, string>): Promise<TestClient>;
}

/** For all tests of a file: to be called at its top. */
export function liveGateway(env: Readonly<Record<string, string>>, claims: Partial<TokenRequest> = {}): LiveGateway {
  let nats: NatsServer | undefined;
  const clients: TestClient[] = [];
  const live = {} as { gateway: TestGateway; publisher: TestPublisher; token: string };

  beforeAll(async () => {
    nats = await startNatsServer();
    live.gateway = await startGateway({ NATS_URL: nats.url, ...env });
    live.publisher = await TestPublisher.connect(nats.url);
    live.token = await testToken(claims);
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
  });

  afterAll(async () => {
    await live.publisher?.close();
    await live.gateway?.stop();
    await nats?.stop();
  });

  return Object.assign(live, {
    async open(path: string, query: Record<string, string> = {}): Promise<TestClient> {
      const { gateway, token } = live;
      const client = await TestClient.connect(`${gateway.url}${path}?${new URLSearchParams({ token, ...query })}`);
      clients.push(client);
      return client;
    },
  });
}
