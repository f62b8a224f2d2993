/** Three regions of one nats-server each and an edge at the first, on this machine, with a long way between any two of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import { Channel } from '../harness/channel.js';
import type { Children } from '../harness/children.js';
import { type NatsNodeProcess, startNatsNode } from '../harness/nats-server.js';
import { configurationFile, NatsCredentials, nodeEnvironment } from '../harness/nats-topology.js';
import { MissingPrerequisite } from '../harness/prerequisite.js';
import { findProgram } from '../harness/programs.js';
import type { RelayAnswer, RelayCommand } from './messages.js';

export const REGIONS = ['eu', 'us', 'ap'] as const;
export type Region = (typeof REGIONS)[number];
/** Where clients are. */
export const SITES = [...REGIONS, 'edge'] as const;
export type Site = (typeof SITES)[number];
/** The region that has the stream, and the leaf node. */
export const HOME: Region = 'eu';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const JOINED_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

interface Gatewayz {
  readonly outbound_gateways: Readonly<Record<string, { readonly connection: { readonly rtt?: string } } | undefined>>;
}

export class World {
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-bench-regions-'));
  readonly credentials: NatsCredentials;
  readonly #nodes = new Map<Site, NatsNodeProcess>();

  private constructor() {
    if (findProgram('openssl') === undefined) throw new MissingPrerequisite('no `openssl` on PATH');
    this.credentials = new NatsCredentials(join(this.#folder, 'secrets'), REGIONS, ['edge']);
  }

  /** @param delayMs of each way between two sites, in each direction */
  static async start(children: Children, delayMs: number): Promise<World> {
    const world = new World();
    try {
      await world.#start(children, delayMs);
      await world.#joined(delayMs);
      await world.#createStreams(children);
      return world;
    } catch (error) {
      world.remove();
      throw error;
    }
  }

  portOf(site: Site): number {
    return this.#nodes.get(site)?.port ?? 0;
  }

  /** Settings of a gateway there. */
  gatewaySettings(site: Site): Record<string, string> {
    const user = site === 'edge' ? 'edge-gateway' : 'gateway';
    const atEdge: Record<string, string> =
      site === 'edge' ? { NATS_JS_DOMAIN: 'hub', NATS_INBOX_PREFIX: '_INBOX_edge' } : {};
    return { ...this.credentials.settings(user, this.portOf(site)), ...atEdge };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(children: Children, delayMs: number): Promise<void> {
    const relay = new Channel<RelayCommand, RelayAnswer>(
      children.fork('relay', new URL('./relay.ts', import.meta.url)),
    );
    const far = async (port: number) => (await relay.ask({ type: 'open', port, delayMs }, 'opened')).port;
    const gateways: Record<string, number> = {};
    const reached: Record<string, number> = {};
    for (const region of REGIONS) {
      gateways[region] = await ownFreePort('127.0.0.1');
      reached[region] = await far(gateways[region]);
    }
    const leafPort = await ownFreePort('127.0.0.1');
    const regions = REGIONS.map(async region => {
      const routesPort = await ownFreePort('127.0.0.1');
      const node = {
        name: region,
        configuration: 'region' as const,
        store: join(this.#folder, region),
        region,
        routesPort,
        clusterRoutesPorts: [routesPort],
        gatewayPort: gateways[region] ?? 0,
        gatewayPorts: reached,
        ...(region === HOME ? { leafPort } : {}),
      };
      this.#nodes.set(region, await this.#node(children, node));
    });
    await Promise.all(regions);
    const edge = { name: 'edge', configuration: 'edge' as const, store: '', hubPort: await far(leafPort) };
    this.#nodes.set('edge', await this.#node(children, edge));
  }

  #node(children: Children, node: Parameters<typeof nodeEnvironment>[1]): Promise<NatsNodeProcess> {
    return startNatsNode(children, configurationFile(node.configuration), nodeEnvironment(this.credentials, node));
  }

  /** Every region has a connection to each other one, and none of them a shorter way. */
  async #joined(delayMs: number): Promise<void> {
    const deadline = performance.now() + JOINED_TIMEOUT_MS;
    for (const region of REGIONS) {
      for (const other of REGIONS.filter(name => name !== region)) {
        let rttMs: number | undefined;
        while (rttMs === undefined) {
          if (performance.now() > deadline) throw new Error(`${region} does not reach ${other}`);
          await sleep(POLL_MS);
          rttMs = await this.#rttMs(region, other);
        }
        if (rttMs < 2 * delayMs) throw new Error(`${region} reaches ${other} within ${rttMs} ms: not by the relay`);
      }
    }
  }

  async #rttMs(region: Region, other: Region): Promise<number | undefined> {
    const response = await fetch(`${this.#nodes.get(region)?.monitorUrl}/gatewayz`);
    const { outbound_gateways: outbound } = (await response.json()) as Gatewayz;
    return milliseconds(outbound[other]?.connection.rtt ?? '');
  }

  /** As an operator does it, once the servers of all regions have a leader. */
  async #createStreams(children: Children): Promise<void> {
    const env = {
      ...this.credentials.settings('administrator', this.portOf(HOME)),
      NATS_INBOX_PREFIX: '_INBOX_administrator',
    };
    const deadline = performance.now() + JOINED_TIMEOUT_MS;
    for (;;) {
      const run = children.spawn('millrace streams', process.execPath, [PROGRAM, 'streams'], env);
      const how = await run.exited;
      if (how === 'exited with code 0') return;
      if (performance.now() > deadline) throw run.failure(how);
      await sleep(POLL_MS);
    }
  }
}

/** Go's text of a duration: `81.2ms`, `1.08s`, `950µs`; undefined for `0s`, before anything was measured. */
function milliseconds(text: string): number | undefined {
  const match = /^([\d.]+)(µs|ms|s)$/.exec(text);
  if (match === null || Number(match[1]) === 0) return undefined;
  return Number(match[1]) * (match[2] === 's' ? 1000 : match[2] === 'ms' ? 1 : 0.001);
}
