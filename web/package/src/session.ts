/** ONNX Runtime's WebAssembly: an open network. */

import * as ort from "onnxruntime-web/wasm";
import { FaceDotsError, messageOf } from "./errors";

/** Numbers in the order of their axes, the last one fastest. */
export interface Tensor<T = Float32Array> {
  readonly data: T;
  readonly shape: readonly number[];
}

export type Tensors = Record<string, Tensor>;

export class Session {
  private constructor(private readonly session: ort.InferenceSession) {}

  /** Open the network in the bytes of an ONNX file; the first one needs those of the runtime. */
  static async open(network: Uint8Array, wasm?: ArrayBuffer): Promise<Session> {
    if (wasm) ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.numThreads = 1;
    const options = { logSeverityLevel: 3 } as const;
    const session = await ort.InferenceSession.create(network, options).catch((error: unknown) => {
      const reason = messageOf(error);
      throw new FaceDotsError(
        reason.includes("SIMD")
          ? "this browser has no SIMD for WebAssembly; a newer one has"
          : `the network cannot be opened: ${reason}`,
      );
    });
    return new Session(session);
  }

  /** The outputs by name. */
  async run(name: string, data: Uint8Array | Float32Array, shape: number[]): Promise<Tensors> {
    const type = data instanceof Uint8Array ? "uint8" : "float32";
    const outputs = await this.session.run({ [name]: new ort.Tensor(type, data, shape) });
    return Object.fromEntries(
      Object.entries(outputs).map(([key, { data, dims }]) => {
        return [key, { data: data as Float32Array, shape: dims }];
      }),
    );
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}
