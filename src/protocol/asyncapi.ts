/** The protocol as an AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0). */
import { endpointChannels, endpointOperations } from './asyncapi/endpoints.js';
import { messageParts } from './asyncapi/messages.js';
import { type JsonObject, reference } from './asyncapi/schemas.js';
import { subjectChannels, subjectOperations } from './asyncapi/subjects.js';

interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: JsonObject;
  readonly defaultContentType: string;
  readonly servers: JsonObject;
  readonly channels: JsonObject;
  readonly operations: JsonObject;
  readonly components: JsonObject;
}

const DESCRIPTION = `Market data, orders, analytics and rooms over WebSocket, fed by NATS.

Operations are seen from outside the gateway: a client sends commands and receives frames, a publisher sends messages to NATS.
With \`format=msgpack\` commands and frames are MessagePack instead of JSON, with the same members.

Everything is additive: ignore members that you do not know. This document lists all that this version sends.`;

const port = (description: string, value: string) => ({ description, default: value });
const host = { description: 'Where it runs', default: 'localhost' };

const CLIENT_PORT = port('PORT', '8080');
const CLOSE_CODES = { 'x-close-codes': reference('components', 'schemas', 'CloseCode') };

/** @param version of Millrace, from its package */
export function asyncApiDocument(version: string): AsyncApiDocument {
  const { messages, schemas } = messageParts();
  const server = (protocol: string, description: string, more: JsonObject = {}) => ({
    host: '{host}:{port}',
    protocol,
    description,
    variables: { host, port: CLIENT_PORT },
    ...more,
  });
  return {
    asyncapi: '3.0.0',
    info: { title: 'Millrace', version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: {
      ws: server('ws', 'The gateway', CLOSE_CODES),
      wss: server('wss', 'The gateway, where TLS_CERT and TLS_KEY are set', CLOSE_CODES),
      http: server('http', 'The same port, before the upgrade'),
      https: server('https', 'The same port, before the upgrade, with TLS'),
      nats: {
        host: '{host}:{port}',
        protocol: 'nats',
        description: 'NATS_URL: where publishers and the gateway meet',
        variables: { host, port: port('Of the NATS server', '4222') },
      },
    },
    channels: { ...endpointChannels(), ...subjectChannels() },
    operations: { ...endpointOperations(), ...subjectOperations() },
    components: {
      schemas,
      messages,
      correlationIds: {
        command: { description: 'The id of a command is echoed in its answer', location: '$message.payload#/id' },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Header Authorization' },
        tokenInQuery: { type: 'httpApiKey', in: 'query', name: 'token', description: 'The same JWT, for browsers' },
        apiKey: { type: 'httpApiKey', in: 'header', name: 'X-API-Key' },
        apiKeyInQuery: { type: 'httpApiKey', in: 'query', name: 'api_key' },
      },
    },
  };
}
