/** From a plan to machines: loads of one client and one gateway, how many fit on a machine, and what limits it. */
import { CONSTANTS, INTAKE_CORES, INTAKE_MAX } from './constants.js';
import { CLASSES, checkPlan, type Plan, PlanError, type RateClass } from './plan.js';

const C = Object.fromEntries(Object.entries(CONSTANTS).map(([name, { value }]) => [name, value])) as Readonly<
  Record<keyof typeof CONSTANTS, number>
>;
const SEGMENT_BYTES = 1_400;
const WORKERS_MAX = 32;
/** A cluster that survives the loss of a node. */
const NATS_NODES_MIN = 3;
const REPLICAS = 3;
const GIB = 1024 ** 3;
const BYTES_PER_GBIT = 1e9 / 8;

/** Per second. CPU in cores. */
export interface ClientLoad {
  readonly messages: number;
  readonly writes: number;
  /** On the wire, headers included. */
  readonly bytes: number;
  readonly writeCores: number;
  readonly messageCores: number;
  readonly byteCores: number;
  readonly tlsCores: number;
  readonly memoryBytes: number;
}

export type Resource = 'cores' | 'memory' | 'network' | 'connections' | 'threads';

export interface GatewayLoad {
  readonly connections: number;
  /** What keeps it from more connections. */
  readonly limit: Resource;
  readonly workers: number;
  readonly sendCores: number;
  readonly intakeCores: number;
  readonly memoryBytes: number;
  readonly bytesOut: number;
  /** From NATS. */
  readonly bytesIn: number;
}

export interface NatsLoad {
  readonly nodes: number;
  readonly messagesIn: number;
  readonly bytesIn: number;
  /** Messages to all gateways together. */
  readonly messagesOut: number;
  readonly bytesOut: number;
  /** Between the nodes: to gateways at other nodes, and to replicas of the stream. */
  readonly routeBytes: number;
  readonly cores: number;
}

export interface Driver {
  readonly name: string;
  readonly cores: number;
  /** Of all cores that are used. */
  readonly share: number;
}

export interface Capacity {
  readonly plan: Plan;
  readonly updates: number;
  /** Average over both kinds of clients. */
  readonly client: ClientLoad;
  readonly gateway: GatewayLoad;
  readonly gateways: number;
  readonly gatewaysPerMachine: number;
  /** Without the spare ones. */
  readonly machines: number;
  /** Of a machine while none has failed, from 0 to 1. */
  readonly use: Readonly<Record<'cores' | 'memory' | 'network', number>>;
  /** What a machine runs out of first. */
  readonly limit: Resource;
  readonly bytesOut: number;
  readonly nats: NatsLoad;
  /** Most expensive first. */
  readonly drivers: readonly Driver[];
}

/** @throws {PlanError} if the plan cannot be */
export function capacityOf(plan: Plan): Capacity {
  checkPlan(plan);
  const updates = plan.symbols * plan.rate;
  if (updates > INTAKE_MAX * plan.target) {
    throw new PlanError(
      `--symbols ${plan.symbols} --rate ${plan.rate}: one gateway takes in ${INTAKE_MAX} updates a second, ` +
        `${Math.floor(INTAKE_MAX * plan.target)} with --target ${plan.target}; divide the symbols among several sites, and calculate each`,
    );
  }
  const client = averageClient(plan);
  const gateway = gatewayOf(plan, client, updates);
  const gateways = Math.ceil(plan.clients / gateway.connections);
  const machine = machineOf(plan);
  const needs = needsOf(gateway);
  const fitting = Object.entries(needs).map(([name, need]) => ({
    limit: name as Resource,
    count: Math.floor((machine[name as keyof typeof machine] * plan.target) / need + 1e-9),
  }));
  const [least] = fitting.sort((a, b) => a.count - b.count);
  const gatewaysPerMachine = Math.max(1, least?.count ?? 1);
  const machines = Math.ceil(gateways / gatewaysPerMachine);
  const nats = natsOf(plan, updates, gateways);
  const all = machines + plan.spare;
  const use = {
    cores: (needs.cores * gateways) / (machine.cores * all),
    memory: (needs.memory * gateways) / (machine.memory * all),
    network: (needs.network * gateways) / (machine.network * all),
  };
  return {
    plan,
    updates,
    client,
    gateway,
    gateways,
    gatewaysPerMachine,
    machines,
    use,
    limit: least?.limit ?? 'cores',
    bytesOut: plan.clients * client.bytes,
    nats,
    drivers: driversOf(plan, client, gateway, gateways, nats),
  };
}

/** Also for clients whose number is not a whole one: the average of institutional and other clients. */
function averageClient(plan: Plan): ClientLoad {
  const institutional = clientOf(plan, 'realtime');
  const other = clientOf(plan, plan.rateClass);
  const mixed = Object.entries(institutional).map(([name, value]) => [
    name,
    value * plan.institutional + other[name as keyof ClientLoad] * (1 - plan.institutional),
  ]);
  return Object.fromEntries(mixed) as unknown as ClientLoad;
}

/** Every update that falls into an interval of the class counts as one message: an upper bound while updates come singly. */
export function clientOf(plan: Plan, rateClass: RateClass): ClientLoad {
  const { perClient, rate, format, tls, writeMicros, slow } = plan;
  const intervalMs = CLASSES[rateClass];
  const messages = perClient * (intervalMs === 0 ? rate : Math.min(rate, 1_000 / intervalMs));
  const writes = Math.min(messages, 1_000 / Math.max(intervalMs, C.realtimeTurnMs));
  const payload = plan.messageBytes ?? (format === 'json' ? C.jsonBytes : C.msgpackBytes);
  const records = tls === 'on' ? writes * C.tlsRecordBytes : 0;
  const content = messages * (payload + C.frameBytes) + records;
  const segments = Math.max(writes, content / SEGMENT_BYTES);
  const writeCores = writes * writeMicros * 1e-6;
  const messageCores = messages * C.deliveryMicros * 1e-6;
  const byteCores = messages * payload * C.byteNanos * 1e-9;
  return {
    messages,
    writes,
    bytes: content + segments * C.writeBytes,
    writeCores,
    messageCores,
    byteCores,
    tlsCores: tls === 'on' ? (writeCores + messageCores + byteCores) * (1 / C.tlsShare - 1) : 0,
    memoryBytes: C.connectionBytes + perClient * C.subscriptionBytes + C.kernelBytes + slow * C.slowBytes,
  };
}

/** Of the main thread and the encoders of one gateway. */
export function intakeCores(updates: number): number {
  const after = INTAKE_CORES.findIndex(point => point.updates >= updates);
  const to = INTAKE_CORES[after < 0 ? INTAKE_CORES.length - 1 : after];
  const from = INTAKE_CORES[(after < 0 ? INTAKE_CORES.length - 1 : after) - 1];
  if (to === undefined || from === undefined) return 0;
  return from.cores + ((updates - from.updates) * (to.cores - from.cores)) / (to.updates - from.updates);
}

const sendCoresOf = ({ writeCores, messageCores, byteCores, tlsCores }: ClientLoad): number =>
  writeCores + messageCores + byteCores + tlsCores;

function machineOf({ cores, memoryGib, nicGbit }: Plan) {
  return { cores, memory: memoryGib * GIB, network: nicGbit * BYTES_PER_GBIT };
}

/** What a gateway needs of a machine; a network card sends and receives at the same time. */
function needsOf(gateway: GatewayLoad) {
  return {
    cores: gateway.sendCores + gateway.intakeCores,
    memory: gateway.memoryBytes,
    network: Math.max(gateway.bytesOut, gateway.bytesIn),
  };
}

/** The largest gateway that the plan allows and a machine can run. */
function gatewayOf(plan: Plan, client: ClientLoad, updates: number): GatewayLoad {
  const machine = machineOf(plan);
  const intake = intakeCores(updates);
  const send = sendCoresOf(client);
  const fixedBytes = C.gatewayBytes + plan.symbols * C.symbolBytes + WORKERS_MAX * C.threadBytes;
  const most: Readonly<Record<Resource, number>> = {
    connections: plan.connectionsPerGateway,
    cores: (machine.cores * plan.target - intake) / send,
    threads: (WORKERS_MAX * plan.target) / send,
    memory: (machine.memory * plan.target - fixedBytes) / client.memoryBytes,
    network: (machine.network * plan.target) / client.bytes,
  };
  const bytesIn = updates * (plan.feedBytes + C.natsHeaderBytes);
  if (bytesIn > machine.network * plan.target) {
    throw new PlanError(
      `the feed of ${Math.ceil(bytesIn / BYTES_PER_GBIT)} Gbit/s is too much for a gateway (--nic-gbit)`,
    );
  }
  const [limit, connections] = (Object.entries(most) as [Resource, number][]).reduce((a, b) => (b[1] < a[1] ? b : a));
  if (connections < 1) {
    throw new PlanError(
      `a machine cannot run a gateway with one such client: it lacks ${limit} (--cores, --memory-gib, --nic-gbit)`,
    );
  }
  const count = Math.floor(connections);
  const sendCores = count * send;
  const workers = Math.min(WORKERS_MAX, Math.max(1, Math.ceil(sendCores / plan.target)));
  return {
    connections: count,
    limit,
    workers,
    sendCores,
    intakeCores: intake,
    memoryBytes:
      C.gatewayBytes + (workers - 1) * C.threadBytes + plan.symbols * C.symbolBytes + count * client.memoryBytes,
    bytesOut: count * client.bytes,
    bytesIn,
  };
}

/** A node sends each message once to every other node, and once to each gateway that is connected to it. */
function natsOf(plan: Plan, updates: number, gateways: number): NatsLoad {
  const messageBytes = plan.feedBytes + C.natsHeaderBytes;
  const messagesOut = updates * gateways;
  const bytesOut = messagesOut * messageBytes;
  const cores = messagesOut * C.natsMicros * 1e-6;
  const machine = machineOf(plan);
  const byNetwork = bytesOut / (machine.network * plan.target);
  const byCores = cores / (machine.cores * plan.target);
  const nodes = Math.max(NATS_NODES_MIN, Math.ceil(byNetwork), Math.ceil(byCores));
  const replicas = plan.jetstream ? REPLICAS - 1 : 0;
  return {
    nodes,
    messagesIn: updates,
    bytesIn: updates * messageBytes,
    messagesOut,
    bytesOut,
    // With JetStream, messages reach other nodes as replicas, and gateways by their own consumers.
    routeBytes: updates * messageBytes * (nodes - 1 + replicas),
    cores,
  };
}

function driversOf(plan: Plan, client: ClientLoad, gateway: GatewayLoad, gateways: number, nats: NatsLoad): Driver[] {
  const cores: Readonly<Record<string, number>> = {
    'writes to sockets': plan.clients * client.writeCores,
    'messages in these writes': plan.clients * client.messageCores,
    'bytes of these messages': plan.clients * client.byteCores,
    TLS: plan.clients * client.tlsCores,
    'taking in the feed, at each gateway': gateways * gateway.intakeCores,
    'nats-server': nats.cores,
  };
  const total = Object.values(cores).reduce((sum, each) => sum + each, 0);
  const drivers = Object.entries(cores).map(([name, each]) => ({ name, cores: each, share: each / total }));
  return drivers.sort((a, b) => b.cores - a.cores);
}
