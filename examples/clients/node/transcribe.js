// Uploads a recording, transcribes it as a job, and prints the transcript: node transcribe.js FILE [FORMAT]

import { once } from "node:events";
import { createReadStream } from "node:fs";
import { basename } from "node:path";

import { ADDRESS, call, credentials, metadata, run, transcription } from "./tiro.js";

const MESSAGE_BYTES = 256 * 1024;

const uploads = new transcription.v1.UploadService(ADDRESS, credentials);
const jobs = new transcription.v1.TranscriptionService(ADDRESS, credentials);

/** Send a file of any size, in pieces. */
async function upload(file) {
  const { name } = await call(uploads, "createUpload", { upload: { displayName: basename(file) } });
  const [writing, written] = write();
  let offset = 0;
  for await (const data of createReadStream(file, { highWaterMark: MESSAGE_BYTES })) {
    // The service may answer before it has everything, as when it refuses the recording.
    if (!writing.write({ name, writeOffset: offset, data })) await Promise.race([once(writing, "drain"), written]);
    offset += data.length;
  }
  writing.end({ name, writeOffset: offset, finishWrite: true });
  return written;
}

/** Begin a call that takes pieces. Returns the call, and a promise of its answer. */
function write() {
  let writing;
  const written = new Promise((resolve, reject) => {
    writing = uploads.writeUpload(metadata(), (error, response) => (error ? reject(error) : resolve(response)));
  });
  written.catch(() => {}); // whoever awaits it gets the error
  return [writing, written];
}

/** Follow a job to its end. */
async function ended(name) {
  let job;
  for await (const event of jobs.watchTranscription({ name }, metadata())) {
    if (event.stateChanged) job = event.stateChanged;
    if (event.progress) console.error(`${event.progress.transcribedDuration?.seconds ?? 0} s transcribed`);
  }
  if (job.state !== "STATE_SUCCEEDED") throw new Error(`${job.state}: ${job.error?.message}`);
}

/** The transcript as text, joined from its pages. */
async function transcript(name, format) {
  let text = "";
  let pageToken = "";
  do {
    const page = await call(jobs, "getTranscript", { name, format, pageToken });
    text += page.text;
    pageToken = page.nextPageToken;
  } while (pageToken);
  return text;
}

await run(async () => {
  const [file, format = "txt"] = process.argv.slice(2);
  if (!file) throw new Error("usage: node transcribe.js FILE [txt|srt|vtt|tsv|json|words]");
  const recording = await upload(file);
  const job = await call(jobs, "createTranscription", { transcription: { upload: recording.name } });
  await ended(job.name);
  process.stdout.write(await transcript(job.name, `TRANSCRIPT_FORMAT_${format.toUpperCase()}`));
});
