// Clients of Tiro's services, made from the protos that `make proto-bundle` builds.

import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTOS = process.env.TIRO_PROTOS ?? fileURLToPath(new URL("../../../dist/protos/include", import.meta.url));

const contract = loadSync(
  [
    "tiro/streaming/v1/streaming.proto",
    "tiro/transcription/v1/transcription_service.proto",
    "tiro/transcription/v1/upload_service.proto",
  ],
  { includeDirs: [PROTOS], longs: Number, enums: String, defaults: true, oneofs: true },
);
export const { streaming, transcription } = grpc.loadPackageDefinition(contract).tiro;

export const ADDRESS = process.env.TIRO_ADDRESS ?? "127.0.0.1:50051";
export const STREAMING_ADDRESS = process.env.TIRO_STREAMING_ADDRESS ?? process.env.TIRO_ADDRESS ?? "127.0.0.1:50052";

// Of a server with TLS: grpc.credentials.createSsl(rootCertificate).
export const credentials = grpc.credentials.createInsecure();

/** Metadata of every call: the API key, if there is one. */
export function metadata() {
  const sent = new grpc.Metadata();
  if (process.env.TIRO_API_KEY) sent.set("authorization", `Bearer ${process.env.TIRO_API_KEY}`);
  return sent;
}

/** Make a call with one request and one response. */
export function call(client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, metadata(), (error, response) => (error ? reject(error) : resolve(response)));
  });
}

/** Run a program. An error of a service is printed as one line: its details are made for people. */
export async function run(main) {
  try {
    await main();
  } catch (error) {
    console.error(error.details ?? error.message);
    process.exitCode = 1;
  }
}
