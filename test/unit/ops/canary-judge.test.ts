/** R67: the judge of a canary, against a Prometheus and a Kubernetes API as far as it asks them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { METRICS } from '../../../src/observe/metrics/table.js';

const JUDGE = fileURLToPath(new URL('../../../ops/kubernetes/overlays/canary/judge.mjs', import.meta.url));
const SCALE = '/apis/apps/v1/namespaces/shop/deployments/millrace-canary/scale';

/** What the canary is, and what Prometheus knows of it; undefined: nothing. */
const state = {
  replicas: 1,
  deployedMinutesAgo: 60,
  isUp: true,
  framesPerFiveMinutes: 50_000,
  p95Seconds: 0.005 as number | undefined,
  prometheusStatus: 200,
};
const initial = { ...state };
const asked: string[] = [];
const patches: { readonly path: string; readonly body: string; readonly authorization: string | undefined }[] = [];

let account: string;
let server: Server;

beforeAll(async () => {
  account = await mkdtemp(join(tmpdir(), 'millrace-judge-'));
  await writeFile(join(account, 'token'), 'a-token\n');
  server = createServer(async (request, response) => {
    const answer = await answerTo(request);
    response.writeHead(answer === undefined ? 404 : (answer.status ?? 200), { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer?.body ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  Object.assign(state, initial);
  asked.length = 0;
  patches.length = 0;
});
afterAll(async () => {
  server?.close();
  await rm(account, { recursive: true, force: true });
});

async function answerTo(request: IncomingMessage): Promise<{ status?: number; body: object } | undefined> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  if (pathname === '/api/v1/query') return { status: state.prometheusStatus, body: queried(searchParams.get('query')) };
  if (request.method === 'PATCH' && pathname === SCALE) {
    let body = '';
    for await (const chunk of request) body += chunk;
    patches.push({ path: pathname, body, authorization: request.headers.authorization });
    return { body: {} };
  }
  if (`${pathname}/scale` !== SCALE) return undefined;
  const lastUpdateTime = new Date(performance.timeOrigin + performance.now() - state.deployedMinutesAgo * 60_000);
  const conditions = [{ type: 'Progressing', lastUpdateTime: lastUpdateTime.toISOString() }];
  return { body: { metadata: {}, spec: { replicas: state.replicas }, status: { conditions } } };
}

function queried(query: string | null): object {
  asked.push(query ?? '');
  const value = query?.startsWith('count(up')
    ? state.isUp
      ? 1
      : undefined
    : query?.startsWith('sum(increase')
      ? state.framesPerFiveMinutes
      : (state.p95Seconds ?? Number.NaN);
  return { data: { result: value === undefined ? [] : [{ value: [0, String(value)] }] } };
}

async function judge(): Promise<{ readonly code: number | null; readonly output: string }> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [JUDGE], {
    env: {
      PROMETHEUS_URL: url,
      KUBERNETES_API_URL: url,
      SERVICE_ACCOUNT_DIR: account,
      DEPLOYMENT: 'millrace-canary',
      NAMESPACE: 'shop',
      P95_MAX_MS: '20',
    },
  });
  let output = '';
  const add = (chunk: Buffer) => {
    output += chunk.toString();
  };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', add);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const ROLLED_BACK = [{ path: SCALE, body: '{"spec":{"replicas":0}}', authorization: 'Bearer a-token' }];

describe('R67 the judge', () => {
  it('R67 leaves a canary that is fast, and asks for metrics that there are', async () => {
    state.p95Seconds = 0.02;
    const { code, output } = await judge();
    expect(output).toBe('canary: 50000 frames in 5 minutes, p95 20 ms\nthe canary may run\n');
    expect([code, patches]).toEqual([0, []]);
    const names = METRICS.map(({ name }) => name);
    const metrics = asked.join(' ').match(/millrace_\w+/g) ?? [];
    for (const name of metrics) expect(names).toContain(name.replace(/_(count|bucket)$/, ''));
    expect(asked).toHaveLength(3);
    const latency = METRICS.find(({ name }) => name === 'millrace_hub_to_publish_seconds');
    expect(latency?.labels?.class).toContain('realtime');
    expect(asked.filter(query => query.includes('class="realtime"'))).toHaveLength(2);
    for (const query of asked) expect(query).toContain('namespace="shop",pod=~"millrace-canary-.*"');
  });

  it.each([
    ['that is slow', { p95Seconds: 0.0482 }, 'p95 is 48.2 ms, over 20 ms'],
    [
      'that Prometheus cannot be asked about',
      { prometheusStatus: 503 },
      'it cannot be judged: /api/v1/query: HTTP 503',
    ],
    ['that Prometheus does not read', { isUp: false, deployedMinutesAgo: 11 }, 'Prometheus does not read it'],
  ])('R67 ends one %s, and its Job fails', async (_what, given, reason) => {
    Object.assign(state, given);
    const { code, output } = await judge();
    expect(output).toContain(`the canary is rolled back: ${reason}\n`);
    expect([code, patches]).toEqual([1, ROLLED_BACK]);
  });

  it.each([
    ['that has just been deployed', { isUp: false, deployedMinutesAgo: 9 }],
    ['that has sent too little to say', { framesPerFiveMinutes: 999, p95Seconds: 0.5 }],
    ['that has sent nothing', { framesPerFiveMinutes: 0, p95Seconds: undefined }],
  ])('R67 leaves one %s', async (_what, given) => {
    Object.assign(state, given);
    const { code } = await judge();
    expect([code, patches]).toEqual([0, []]);
  });

  it('R67 does nothing where no canary runs', async () => {
    Object.assign(state, { replicas: 0, prometheusStatus: 503 });
    expect(await judge()).toEqual({ code: 0, output: 'no canary runs\n' });
    expect(patches).toEqual([]);
  });
});
