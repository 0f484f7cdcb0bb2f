// Transcribes PCM from standard input while it arrives (16-bit little-endian, 16 kHz, mono), and prints the finals:
//   arecord -q -f S16_LE -r 16000 -c 1 -t raw | node listen.js
//   ffmpeg -loglevel error -re -i FILE -f s16le -ar 16000 -ac 1 - | node listen.js

import { once } from "node:events";

import { STREAMING_ADDRESS, credentials, metadata, run, streaming } from "./tiro.js";

const MESSAGE_BYTES = 128 * 1024; // a message may have 256 KiB

/** Send the config, then the audio as it arrives, then the end. */
async function send(session, audio) {
  session.write({
    config: { format: { encoding: "AUDIO_ENCODING_LINEAR16", sampleRateHertz: 16000 }, enableInterimResults: true },
  });
  for await (const piece of audio) {
    for (let begin = 0; begin < piece.length; begin += MESSAGE_BYTES) {
      if (!session.write({ audio: piece.subarray(begin, begin + MESSAGE_BYTES) })) await once(session, "drain");
    }
  }
  session.end();
}

function show(event) {
  if (event.partial) process.stderr.write(`\r\x1b[K${event.partial.segment.text.slice(-100)}`);
  if (event.final) {
    process.stderr.write("\r\x1b[K");
    console.log(event.final.segment.text);
  }
}

await run(async () => {
  const client = new streaming.v1.StreamingService(STREAMING_ADDRESS, credentials);
  const session = client.streamingTranscribe(metadata());
  const sending = send(session, process.stdin);
  sending.catch((error) => session.destroy(error));
  try {
    for await (const event of session) show(event);
  } finally {
    process.stdin.destroy();
  }
});
