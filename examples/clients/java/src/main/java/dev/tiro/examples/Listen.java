package dev.tiro.examples;

import com.google.protobuf.ByteString;
import dev.tiro.speech.v1.AudioEncoding;
import dev.tiro.speech.v1.AudioFormat;
import dev.tiro.streaming.v1.StreamingConfig;
import dev.tiro.streaming.v1.StreamingProto;
import dev.tiro.streaming.v1.StreamingTranscribeRequest;
import dev.tiro.streaming.v1.StreamingTranscribeResponse;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.io.InputStream;

/**
 * Transcribes PCM from standard input while it arrives (16-bit little-endian, 16 kHz, mono), and prints the finals.
 */
public final class Listen {
  private static final int SAMPLE_RATE = 16000;
  private static final int MESSAGE_BYTES = SAMPLE_RATE * 2 / 10; // 100 ms

  private static final MethodDescriptor<StreamingTranscribeRequest, StreamingTranscribeResponse> TRANSCRIBE =
      Tiro.method(
          StreamingProto.getDescriptor(),
          "StreamingService/StreamingTranscribe",
          StreamingTranscribeRequest.getDefaultInstance(),
          StreamingTranscribeResponse.getDefaultInstance());

  private Listen() {}

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel = Tiro.connectStreaming();
    try {
      var session = ClientCalls.blockingBidiStreamingCall(Tiro.authorized(channel), TRANSCRIBE, CallOptions.DEFAULT);
      Thread sending = new Thread(() -> send(session, System.in), "audio");
      sending.setDaemon(true);
      sending.start();
      for (var event = session.read(); event != null; event = session.read()) {
        show(event);
      }
    } catch (StatusException error) {
      System.err.println(error.getStatus().getDescription());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  /** Sends the config, then the audio as it arrives, then the end. */
  private static void send(
      BlockingClientCall<StreamingTranscribeRequest, StreamingTranscribeResponse> session, InputStream audio) {
    AudioFormat format =
        AudioFormat.newBuilder()
            .setEncoding(AudioEncoding.AUDIO_ENCODING_LINEAR16)
            .setSampleRateHertz(SAMPLE_RATE)
            .build();
    StreamingConfig config = StreamingConfig.newBuilder().setFormat(format).setEnableInterimResults(true).build();
    try {
      boolean open = session.write(StreamingTranscribeRequest.newBuilder().setConfig(config).build());
      byte[] piece = audio.readNBytes(MESSAGE_BYTES);
      while (open && piece.length > 0) {
        open = session.write(StreamingTranscribeRequest.newBuilder().setAudio(ByteString.copyFrom(piece)).build());
        piece = audio.readNBytes(MESSAGE_BYTES);
      }
      session.halfClose();
    } catch (IOException | InterruptedException error) {
      session.cancel("the audio failed", error);
    } catch (StatusException error) {
      // The thread that reads the session gets it too.
    }
  }

  private static void show(StreamingTranscribeResponse event) {
    if (event.hasPartial()) {
      System.err.print("\r\033[K" + event.getPartial().getSegment().getText());
    }
    if (event.hasFinal()) {
      System.err.print("\r\033[K");
      System.out.println(event.getFinal().getSegment().getText());
    }
  }
}
