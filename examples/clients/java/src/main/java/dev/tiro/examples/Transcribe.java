package dev.tiro.examples;

import com.google.protobuf.ByteString;
import dev.tiro.transcription.v1.CreateTranscriptionRequest;
import dev.tiro.transcription.v1.CreateUploadRequest;
import dev.tiro.transcription.v1.GetTranscriptRequest;
import dev.tiro.transcription.v1.GetTranscriptResponse;
import dev.tiro.transcription.v1.Transcription;
import dev.tiro.transcription.v1.TranscriptFormat;
import dev.tiro.transcription.v1.TranscriptionServiceProto;
import dev.tiro.transcription.v1.Upload;
import dev.tiro.transcription.v1.UploadServiceProto;
import dev.tiro.transcription.v1.WatchTranscriptionRequest;
import dev.tiro.transcription.v1.WatchTranscriptionResponse;
import dev.tiro.transcription.v1.WriteUploadRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;

/** Uploads a recording, transcribes it as a job, and prints the transcript. */
public final class Transcribe {
  private static final int MESSAGE_BYTES = 256 * 1024;

  private static final MethodDescriptor<CreateUploadRequest, Upload> CREATE_UPLOAD =
      Tiro.method(
          UploadServiceProto.getDescriptor(),
          "UploadService/CreateUpload",
          CreateUploadRequest.getDefaultInstance(),
          Upload.getDefaultInstance());
  private static final MethodDescriptor<WriteUploadRequest, Upload> WRITE_UPLOAD =
      Tiro.method(
          UploadServiceProto.getDescriptor(),
          "UploadService/WriteUpload",
          WriteUploadRequest.getDefaultInstance(),
          Upload.getDefaultInstance());
  private static final MethodDescriptor<CreateTranscriptionRequest, Transcription> CREATE =
      Tiro.method(
          TranscriptionServiceProto.getDescriptor(),
          "TranscriptionService/CreateTranscription",
          CreateTranscriptionRequest.getDefaultInstance(),
          Transcription.getDefaultInstance());
  private static final MethodDescriptor<WatchTranscriptionRequest, WatchTranscriptionResponse> WATCH =
      Tiro.method(
          TranscriptionServiceProto.getDescriptor(),
          "TranscriptionService/WatchTranscription",
          WatchTranscriptionRequest.getDefaultInstance(),
          WatchTranscriptionResponse.getDefaultInstance());
  private static final MethodDescriptor<GetTranscriptRequest, GetTranscriptResponse> GET_TRANSCRIPT =
      Tiro.method(
          TranscriptionServiceProto.getDescriptor(),
          "TranscriptionService/GetTranscript",
          GetTranscriptRequest.getDefaultInstance(),
          GetTranscriptResponse.getDefaultInstance());

  private final Channel channel;

  private Transcribe(Channel channel) {
    this.channel = channel;
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 1) {
      System.err.println("usage: Transcribe FILE");
      System.exit(2);
    }
    ManagedChannel channel = Tiro.connect();
    try {
      System.out.print(new Transcribe(Tiro.authorized(channel)).transcribe(Path.of(arguments[0])));
    } catch (StatusException | StatusRuntimeException error) {
      System.err.println(Status.fromThrowable(error).getDescription());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private String transcribe(Path file) throws Exception {
    Upload recording = upload(file);
    Transcription job =
        call(
            CREATE,
            CreateTranscriptionRequest.newBuilder()
                .setTranscription(Transcription.newBuilder().setUpload(recording.getName()))
                .build());
    await(job.getName());
    return transcript(job.getName());
  }

  /** Sends a file of any size, in pieces. */
  private Upload upload(Path file) throws Exception {
    Upload created =
        call(
            CREATE_UPLOAD,
            CreateUploadRequest.newBuilder()
                .setUpload(Upload.newBuilder().setDisplayName(file.getFileName().toString()))
                .build());
    BlockingClientCall<WriteUploadRequest, Upload> writing =
        ClientCalls.blockingClientStreamingCall(channel, WRITE_UPLOAD, CallOptions.DEFAULT);
    try (InputStream input = Files.newInputStream(file)) {
      long offset = 0;
      boolean last = false;
      while (!last) {
        byte[] data = input.readNBytes(MESSAGE_BYTES);
        last = data.length < MESSAGE_BYTES;
        WriteUploadRequest request =
            WriteUploadRequest.newBuilder()
                .setName(created.getName())
                .setWriteOffset(offset)
                .setData(ByteString.copyFrom(data))
                .setFinishWrite(last)
                .build();
        if (!writing.write(request)) {
          break; // the service has answered: read() has its answer or its reason
        }
        offset += data.length;
      }
    }
    writing.halfClose();
    return writing.read();
  }

  /** Follows a job to its end. */
  private void await(String name) {
    Iterator<WatchTranscriptionResponse> events =
        ClientCalls.blockingServerStreamingCall(
            channel, WATCH, CallOptions.DEFAULT, WatchTranscriptionRequest.newBuilder().setName(name).build());
    Transcription job = Transcription.getDefaultInstance();
    while (events.hasNext()) {
      WatchTranscriptionResponse event = events.next();
      if (event.hasProgress()) {
        System.err.println(event.getProgress().getTranscribedDuration().getSeconds() + " s transcribed");
      }
      if (event.hasStateChanged()) {
        job = event.getStateChanged();
      }
    }
    if (job.getState() != Transcription.State.STATE_SUCCEEDED) {
      throw new IllegalStateException(job.getState() + ": " + job.getError().getMessage());
    }
  }

  /** The transcript as text, joined from its pages. */
  private String transcript(String name) {
    StringBuilder text = new StringBuilder();
    GetTranscriptRequest.Builder request =
        GetTranscriptRequest.newBuilder().setName(name).setFormat(TranscriptFormat.TRANSCRIPT_FORMAT_TXT);
    do {
      GetTranscriptResponse page = call(GET_TRANSCRIPT, request.build());
      text.append(page.getText());
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return text.toString();
  }

  private <Q, R> R call(MethodDescriptor<Q, R> method, Q request) {
    return ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, request);
  }
}
