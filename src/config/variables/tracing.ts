/** Settings of tracing. The names with OTEL are OpenTelemetry's own, which platforms set for every program. */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { optional, setting, type ValuesOf } from '../setting.js';
import { withoutSecrets } from '../url-text.js';
import { integer, readable, secret, text, type ValueType } from '../values.js';

/** More would outnumber the traces that can be in flight (observe/tracing/traces.ts). */
const TRACES_PER_SECOND_MAX = 100;
const SERVICE_NAME_DEFAULT = 'millrace';
/** `name=value`, with anything in the value that is not a separator; percent-encoded where it is. */
const PAIRS = /^[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$/;
const PAIRS_RULE = 'name=value pairs, separated by commas, with percent-encoded values';

const HTTP_URL = /^https?:\/\/[^\s/?#]+[^\s?#]*$/;

const httpUrl: ValueType<string> = {
  ...readable('an http or https URL', value => (HTTP_URL.test(value) && URL.canParse(value) ? value : undefined)),
  show: withoutSecrets,
};

const HEADERS_RULE = `${PAIRS_RULE}, that HTTP allows as headers`;
const headerPairs: ValueType<string> = {
  ...readable(HEADERS_RULE, value => (PAIRS.test(value) && areHeaders(pairsOf(value)) ? value : undefined)),
  show: secret.show,
  isSecret: true,
};

export interface TracingConfig {
  /** Base address of the collector. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the spans say of the gateway that made them. */
  readonly resource: Readonly<Record<string, string>>;
  readonly tracesPerSecond: number;
}

export const tracing = {
  title: 'Tracing',
  about: 'Traces of messages, from a publisher’s `traceparent` to the sockets; off by default.',
  settings: {
    OTEL_EXPORTER_OTLP_ENDPOINT: optional(httpUrl, {
      means:
        'Base address of an OpenTelemetry collector, such as `http://collector:4318`. The gateway sends spans to `/v1/traces` below it, as JSON. Unset: nothing is traced.',
      see: 'ops/tracing.md',
    }),
    OTEL_EXPORTER_OTLP_HEADERS: optional(headerPairs, {
      means: 'Headers for the collector, such as `authorization=Bearer%20…`: `name=value` pairs, separated by commas.',
    }),
    OTEL_SERVICE_NAME: optional(text, {
      means: '`service.name` of the spans.',
      unset: '`service.name` in `OTEL_RESOURCE_ATTRIBUTES`, else `millrace`',
    }),
    OTEL_RESOURCE_ATTRIBUTES: setting(
      readable(PAIRS_RULE, value => (value === '' || PAIRS.test(value) ? pairsOf(value) : undefined)),
      '',
      {
        means:
          'Further attributes of the gateway, such as `deployment.environment.name=production`; `service.instance.id` is `NODE_NAME` unless you set it here.',
      },
    ),
    TRACES_PER_SECOND: setting(integer(1, TRACES_PER_SECOND_MAX), '10', {
      means: 'Most messages traced per second, whatever publishers sample. `millrace_traces_total` counts the others.',
    }),
  },
} as const;

export type TracingVariables = ValuesOf<typeof tracing.settings>;

/** Undefined: nothing is traced. */
export function tracingConfig(v: TracingVariables, nodeName: string): TracingConfig | undefined {
  const endpoint = v.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const given = v.OTEL_RESOURCE_ATTRIBUTES;
  const serviceName = v.OTEL_SERVICE_NAME ?? given['service.name'] ?? SERVICE_NAME_DEFAULT;
  return {
    endpoint,
    headers: pairsOf(v.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    resource: { 'service.instance.id': nodeName, ...given, 'service.name': serviceName },
    tracesPerSecond: v.TRACES_PER_SECOND,
  };
}

/** @param text accepted by `PAIRS`, or '' */
function pairsOf(text: string): Readonly<Record<string, string>> {
  const pairs = text === '' ? [] : text.split(',');
  return Object.fromEntries(
    pairs.map(pair => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())];
    }),
  );
}

function areHeaders(pairs: Readonly<Record<string, string>>): boolean {
  try {
    for (const [name, value] of Object.entries(pairs)) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    }
    return true;
  } catch {
    // Node would refuse each request to the collector.
    return false;
  }
}

/** As it stands if its percent signs encode nothing. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
