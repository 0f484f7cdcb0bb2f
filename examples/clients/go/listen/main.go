// Listen transcribes PCM from standard input while it arrives (16-bit little-endian, 16 kHz, mono), and prints the
// finals.
//
//	arecord -q -f S16_LE -r 16000 -c 1 -t raw | go run ./listen
//	ffmpeg -loglevel error -re -i FILE -f s16le -ar 16000 -ac 1 - | go run ./listen
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	speech "tiro.dev/examples/clients/go/gen/tiro/speech/v1"
	pb "tiro.dev/examples/clients/go/gen/tiro/streaming/v1"
	"tiro.dev/examples/clients/go/tiro"
)

const (
	sampleRate   = 16000
	messageBytes = sampleRate * 2 / 10 // 100 ms
)

func main() {
	log.SetFlags(0)
	if err := listen(tiro.Context(context.Background()), os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func listen(ctx context.Context, audio io.Reader) error {
	conn, err := tiro.ConnectStreaming()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	session, err := pb.NewStreamingServiceClient(conn).StreamingTranscribe(ctx)
	if err != nil {
		return err
	}
	go func() {
		if err := send(session, audio); err != nil {
			cancel(err)
		}
	}()
	for {
		event, err := session.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
		show(event)
	}
}

// send sends the config, then the audio as it arrives, then the end.
func send(session pb.StreamingService_StreamingTranscribeClient, audio io.Reader) error {
	config := &pb.StreamingConfig{
		Format: &speech.AudioFormat{
			Encoding:        speech.AudioEncoding_AUDIO_ENCODING_LINEAR16,
			SampleRateHertz: sampleRate,
		},
		EnableInterimResults: true,
	}
	err := session.Send(&pb.StreamingTranscribeRequest{Request: &pb.StreamingTranscribeRequest_Config{Config: config}})
	buffer := make([]byte, messageBytes)
	for err == nil {
		n, readError := io.ReadFull(audio, buffer)
		if n > 0 {
			piece := &pb.StreamingTranscribeRequest_Audio{Audio: buffer[:n]}
			err = session.Send(&pb.StreamingTranscribeRequest{Request: piece})
		}
		if readError == io.EOF || readError == io.ErrUnexpectedEOF {
			return session.CloseSend()
		}
		if readError != nil {
			return readError
		}
	}
	if errors.Is(err, io.EOF) {
		return nil // the service has ended the session: Recv has the reason
	}
	return err
}

func show(event *pb.StreamingTranscribeResponse) {
	if partial := event.GetPartial(); partial != nil {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", partial.Segment.Text)
	}
	if final := event.GetFinal(); final != nil {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
		fmt.Println(final.Segment.Text)
	}
}
