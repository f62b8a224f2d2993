/**
 * The header of what a gateway publishes for a client: by it the gateway knows its own message again, and every gateway knows
 * one that is repeated. `<id>`, or `<id> <key> <content>` for a message that the client gave an id of its own.
 */

export interface PublicationMark {
  /** One publish call of one gateway process. */
  readonly id: string;
  /** Messages with one key are one message: a hash of user, room and the client's id; '' for none. */
  readonly key: string;
  /** Hash of what the client published: one key stands for one content. */
  readonly content: string;
}

export function markText({ id, key, content }: PublicationMark): string {
  return key === '' ? id : `${id} ${key} ${content}`;
}

export function parseMark(text: string): PublicationMark {
  const [id = '', key = '', content = ''] = text.split(' ');
  return { id, key, content };
}
