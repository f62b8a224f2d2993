/** An OpenTelemetry collector as far as a gateway sees it: takes OTLP JSON over HTTP on a port of its own. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number;
  readonly boolValue?: boolean;
}

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code: number; readonly message?: string };
}

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface WireRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly startMicros: number;
  readonly endMicros: number;
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly resource: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Spans that it is linked with. */
  readonly links: readonly string[];
  readonly problem: string | undefined;
}

export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** Path and headers of each request. */
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = [];
  /** Answers from now on: a status, or none at all. */
  answer: number | 'none' = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.requests.push({ path: request.url ?? '', headers: request.headers });
        if (this.answer === 'none') return;
        if (this.answer === 200) this.#take(JSON.parse(Buffer.concat(chunks).toString('utf8')) as WireRequest);
        response.writeHead(this.answer, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async open(port = 0): Promise<TraceCollector> {
    const collector = new TraceCollector();
    collector.#server.listen(port, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The spans of a trace with this name. */
  of(traceId: string, name: string): CollectedSpan[] {
    return this.spans.filter(span => span.traceId === traceId && span.name === name);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #take({ resourceSpans }: WireRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          ...span,
          startMicros: Number(BigInt(span.startTimeUnixNano) / 1000n),
          endMicros: Number(BigInt(span.endTimeUnixNano) / 1000n),
          attributes: valuesOf(span.attributes),
          resource: valuesOf(resource.attributes),
          links: (span.links ?? []).map(({ spanId }) => spanId),
          problem: span.status?.message,
        });
      }
    }
  }
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number | boolean | undefined> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? value.intValue]),
  );
}
