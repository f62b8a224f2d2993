/** npm run capacity: a plan worked out by hand, what must never decrease, and the page. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedBy } from '../../../ops/capacity/command.js';
import { CONSTANTS } from '../../../ops/capacity/constants.js';
import { capacityOf, intakeCores } from '../../../ops/capacity/model.js';
import { CLASSES, DEFAULTS, type Plan, PlanError } from '../../../ops/capacity/plan.js';
import { sheetText, withSheets } from '../../../ops/capacity/sheet.js';

const planOf = (changes: Partial<Plan> = {}): Plan => ({ ...DEFAULTS, clients: 100_000, ...changes });
const totalCores = (plan: Plan) => capacityOf(plan).drivers.reduce((sum, { cores }) => sum + cores, 0);

describe('R68 capacity', () => {
  it('R68 is what a calculation by hand gives', () => {
    const small = capacityOf({
      clients: 20_000,
      symbols: 100,
      rate: 2,
      perClient: 10,
      institutional: 0,
      rateClass: '1000ms',
      format: 'json',
      messageBytes: 200,
      feedBytes: 140,
      tls: 'off',
      jetstream: false,
      slow: 0,
      writeMicros: 20,
      connectionsPerGateway: 10_000,
      cores: 8,
      memoryGib: 16,
      nicGbit: 10,
      target: 0.5,
      spare: 1,
    });
    // Ten symbols, once a second each, in one write: 10 × 204 bytes in 1.457 segments with 66 bytes of headers.
    expect(small.client).toMatchObject({ messages: 10, writes: 1, tlsCores: 0, memoryBytes: 2_600 + 3_130 + 4_900 });
    expect(small.client.bytes).toBeCloseTo(2_040 + (2_040 / 1_400) * 66, 6);
    // 20 + 10 × 0.27 + 2000 × 0.0003 µs, 10,000 times; 200 updates a second at 240 µs.
    expect(small.gateway.sendCores).toBeCloseTo(0.233, 9);
    expect(small.gateway.intakeCores).toBeCloseTo(0.048, 9);
    expect(small.gateway).toMatchObject({ connections: 10_000, workers: 1, limit: 'connections', bytesIn: 40_000 });
    expect(small.gateway.memoryBytes).toBeCloseTo(128e6 + 600e3 + 106.3e6, 0);
    // 4 cores / 0.281; memory would allow 36, the network 29.
    expect(small).toMatchObject({ updates: 200, gateways: 2, gatewaysPerMachine: 14, machines: 1, limit: 'cores' });
    expect(small.nats).toMatchObject({ nodes: 3, messagesOut: 400, bytesOut: 80_000, routeBytes: 80_000 });
    expect(small.drivers[0]).toMatchObject({ name: 'writes to sockets', cores: expect.closeTo(0.4, 9) });
  });

  it('R68 takes the cost of the feed from the measured points, and between them from the line', () => {
    expect([0, 1_000, 12_500, 24_000, 225_000].map(intakeCores)).toEqual([0, 0.24, expect.closeTo(0.27, 9), 0.3, 1.06]);
  });

  const plans = fc.record({
    clients: fc.integer({ min: 1, max: 5_000_000 }),
    symbols: fc.integer({ min: 20, max: 1_000 }),
    rate: fc.double({ min: 0.1, max: 50, noNaN: true }),
    perClient: fc.integer({ min: 1, max: 20 }),
    institutional: fc.double({ min: 0, max: 0.5, noNaN: true }),
    rateClass: fc.constantFrom('16ms' as const, '100ms' as const, '1000ms' as const),
    messageBytes: fc.integer({ min: 50, max: 2_000 }),
    tls: fc.constantFrom('on' as const, 'off' as const),
    jetstream: fc.boolean(),
  });

  /** Sums of the same terms in another order differ in their last digits. */
  const ROUNDED = 1 - 1e-12;

  it.each([
    ['clients', (plan: Plan) => ({ clients: 2 * plan.clients })],
    ['rate', (plan: Plan) => ({ rate: 2 * plan.rate })],
    ['symbols of a client', (plan: Plan) => ({ perClient: Math.min(plan.symbols, 2 * plan.perClient) })],
    ['bytes', (plan: Plan) => ({ messageBytes: 2 * (plan.messageBytes ?? 0) })],
    ['institutional clients', (plan: Plan) => ({ institutional: Math.min(1, 2 * plan.institutional) })],
    ['TLS', () => ({ tls: 'on' as const })],
    ['a faster class', () => ({ rateClass: 'realtime' as const })],
    ['less of each machine', (plan: Plan) => ({ target: plan.target / 2 })],
    ['slow clients', (plan: Plan) => ({ slow: 2 * plan.slow })],
  ])('R68 never needs less for more: %s', (_, more) => {
    fc.assert(
      fc.property(plans, changes => {
        const plan = planOf(changes);
        const [before, after] = [capacityOf(plan), capacityOf({ ...plan, ...more(plan) })];
        expect(after.machines).toBeGreaterThanOrEqual(before.machines);
        expect(after.gateways).toBeGreaterThanOrEqual(before.gateways);
        expect(after.bytesOut).toBeGreaterThanOrEqual(before.bytesOut * ROUNDED);
        expect(after.nats.bytesOut).toBeGreaterThanOrEqual(before.nats.bytesOut * ROUNDED);
      }),
    );
  });

  it('R68 never plans more than a machine has, nor a gateway with more clients than it may have', () => {
    fc.assert(
      fc.property(plans, changes => {
        const plan = planOf(changes);
        const { gateway, gateways, gatewaysPerMachine, machines, use, drivers, nats } = capacityOf(plan);
        expect(gateways * gateway.connections).toBeGreaterThanOrEqual(plan.clients);
        expect(gateway.connections).toBeLessThanOrEqual(plan.connectionsPerGateway);
        expect(gateway.sendCores / gateway.workers).toBeLessThanOrEqual(plan.target + 1e-9);
        expect(machines * gatewaysPerMachine).toBeGreaterThanOrEqual(gateways);
        for (const share of Object.values(use)) expect(share).toBeLessThanOrEqual(plan.target + 1e-9);
        expect(drivers.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
        expect(nats.nodes).toBeGreaterThanOrEqual(3);
      }),
    );
  });

  it('R68 counts TLS by its share, and not at all at a balancer', () => {
    const [off, on, proxy] = (['off', 'on', 'proxy'] as const).map(tls => capacityOf(planOf({ tls })));
    expect(proxy?.client).toEqual(off?.client);
    const sending = (off?.client.writeCores ?? 0) + (off?.client.messageCores ?? 0) + (off?.client.byteCores ?? 0);
    expect(on?.client.tlsCores).toBeCloseTo(sending * (1 / CONSTANTS.tlsShare.value - 1), 12);
  });

  it.each([
    [{ clients: 0 }, '--clients 0: must be a whole number from 1 to 10000000'],
    [{ clients: 1.5 }, '--clients 1.5'],
    [{ symbols: 3 }, '--per-client 20: there are only 3 symbols'],
    [{ institutional: 1.1 }, '--institutional 1.1: must be a number from 0 to 1'],
    [{ rate: 1_000 }, 'one gateway takes in 225000 updates a second, 157500 with --target 0.7'],
    [{ cores: 2, target: 0.1, rate: 40 }, 'it lacks cores'],
    [{ memoryGib: 1, nicGbit: 0.1, rate: 300, feedBytes: 10_000 }, '--nic-gbit'],
  ])('R68 refuses %o', (changes, words) => {
    const refused = () => capacityOf(planOf(changes));
    expect(refused).toThrow(PlanError);
    expect(refused).toThrow(words);
  });

  it('R68 lets the slowest class serve ten million', () => {
    expect(totalCores(planOf({ clients: 10_000_000, rateClass: '1000ms' }))).toBeLessThan(
      totalCores(planOf({ clients: 10_000_000 })),
    );
    for (const rateClass of Object.keys(CLASSES) as (keyof typeof CLASSES)[])
      expect(capacityOf(planOf({ clients: 10_000_000, rateClass })).machines).toBeGreaterThan(0);
  });
});

describe('R68 ops/capacity.md', () => {
  const document = readFileSync(new URL('../../../ops/capacity.md', import.meta.url), 'utf8');
  const sheetOf = (args: readonly string[]) => {
    const { capacity } = askedBy(args);
    return capacity === undefined ? '' : sheetText(capacity);
  };

  it('R68 has the sheets and figures that the program prints: npm run capacity -- --update', () => {
    expect(document.match(/^\$ npm run capacity/gm)).toHaveLength(3);
    expect(withSheets(document, sheetOf)).toBe(document);
  });

  it('R68 the command prints the sheet, and says what is missing', () => {
    const run = [process.execPath, ['--import', 'tsx', 'ops/capacity/run.ts', '--clients', '100000']] as const;
    expect(document).toContain(execFileSync(...run, { encoding: 'utf8' }));
    expect(() => askedBy(['--rate', '1'])).toThrow('--clients is missing');
    expect(askedBy(['--clients', '7', '--json'])).toMatchObject({ json: true, capacity: { gateways: 1 } });
  });
});
