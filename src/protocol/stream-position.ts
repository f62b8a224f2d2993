/** A place in a topic: `seq` counts within `epoch`. */
export interface StreamPosition {
  readonly epoch: string;
  readonly seq: number;
}
