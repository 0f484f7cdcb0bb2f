package dev.tiro.examples;

import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Message;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.MetadataUtils;
import java.util.Map;

/** Connects to Tiro's services, and describes their methods to gRPC. */
final class Tiro {
  private static final Map<String, String> ENVIRONMENT = System.getenv();
  private static final String ADDRESS = ENVIRONMENT.getOrDefault("TIRO_ADDRESS", "127.0.0.1:50051");
  private static final String STREAMING_ADDRESS =
      ENVIRONMENT.getOrDefault(
          "TIRO_STREAMING_ADDRESS", ENVIRONMENT.getOrDefault("TIRO_ADDRESS", "127.0.0.1:50052"));

  private Tiro() {}

  /** A connection to the service of uploads and jobs. */
  static ManagedChannel connect() {
    return open(ADDRESS);
  }

  /** A connection to the service of live streams. */
  static ManagedChannel connectStreaming() {
    return open(STREAMING_ADDRESS);
  }

  /** The connection, with the API key in each call if there is one. */
  static Channel authorized(ManagedChannel channel) {
    String key = ENVIRONMENT.get("TIRO_API_KEY");
    if (key == null) {
      return channel;
    }
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + key);
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  /**
   * A method of a service, as protoc-gen-grpc-java would describe it. That plugin is a native program; this example does
   * without it.
   *
   * @param name the service and the method, such as {@code UploadService/CreateUpload}
   */
  static <Q extends Message, R extends Message> MethodDescriptor<Q, R> method(
      FileDescriptor file, String name, Q request, R response) {
    String[] names = name.split("/");
    var service = file.findServiceByName(names[0]);
    var method = service.findMethodByName(names[1]);
    MethodType type;
    if (method.isClientStreaming()) {
      type = method.isServerStreaming() ? MethodType.BIDI_STREAMING : MethodType.CLIENT_STREAMING;
    } else {
      type = method.isServerStreaming() ? MethodType.SERVER_STREAMING : MethodType.UNARY;
    }
    return MethodDescriptor.<Q, R>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(service.getFullName(), method.getName()))
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(response))
        .build();
  }

  private static ManagedChannel open(String address) {
    // Of a server with TLS: without usePlaintext().
    return ManagedChannelBuilder.forTarget(address).usePlaintext().build();
  }
}
