// Transcribe uploads a recording, transcribes it as a job, and prints the transcript.
//
//	go run ./transcribe FILE
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	pb "tiro.dev/examples/clients/go/gen/tiro/transcription/v1"
	"tiro.dev/examples/clients/go/tiro"
)

const messageBytes = 256 * 1024

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: transcribe FILE")
	}
	text, err := transcribe(tiro.Context(context.Background()), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(text)
}

func transcribe(ctx context.Context, file string) (string, error) {
	conn, err := tiro.Connect()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	recording, err := upload(ctx, pb.NewUploadServiceClient(conn), file)
	if err != nil {
		return "", err
	}
	jobs := pb.NewTranscriptionServiceClient(conn)
	job, err := jobs.CreateTranscription(ctx, &pb.CreateTranscriptionRequest{
		Transcription: &pb.Transcription{Source: &pb.Transcription_Upload{Upload: recording.Name}},
	})
	if err != nil {
		return "", err
	}
	if err := wait(ctx, jobs, job.Name); err != nil {
		return "", err
	}
	return transcript(ctx, jobs, job.Name)
}

// upload sends a file of any size, in pieces.
func upload(ctx context.Context, uploads pb.UploadServiceClient, path string) (*pb.Upload, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	created, err := uploads.CreateUpload(ctx, &pb.CreateUploadRequest{
		Upload: &pb.Upload{DisplayName: filepath.Base(path)},
	})
	if err != nil {
		return nil, err
	}
	call, err := uploads.WriteUpload(ctx)
	if err != nil {
		return nil, err
	}
	request := &pb.WriteUploadRequest{Name: created.Name}
	buffer := make([]byte, messageBytes)
	for !request.FinishWrite {
		n, err := io.ReadFull(file, buffer)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		request.Data, request.FinishWrite = buffer[:n], err != nil
		if err := call.Send(request); err != nil {
			break // the service has answered: CloseAndRecv has the reason
		}
		request.WriteOffset += int64(n)
	}
	return call.CloseAndRecv()
}

// wait follows a job to its end.
func wait(ctx context.Context, jobs pb.TranscriptionServiceClient, name string) error {
	events, err := jobs.WatchTranscription(ctx, &pb.WatchTranscriptionRequest{Name: name})
	if err != nil {
		return err
	}
	var job *pb.Transcription
	for {
		event, err := events.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if progress := event.GetProgress(); progress != nil {
			log.Printf("%v transcribed", progress.TranscribedDuration.AsDuration())
		}
		if changed := event.GetStateChanged(); changed != nil {
			job = changed
		}
	}
	if job.GetState() != pb.Transcription_STATE_SUCCEEDED {
		return fmt.Errorf("%v: %s", job.GetState(), job.GetError().GetMessage())
	}
	return nil
}

// transcript returns the transcript as text, joined from its pages.
func transcript(ctx context.Context, jobs pb.TranscriptionServiceClient, name string) (string, error) {
	request := &pb.GetTranscriptRequest{Name: name, Format: pb.TranscriptFormat_TRANSCRIPT_FORMAT_TXT}
	text := ""
	for {
		page, err := jobs.GetTranscript(ctx, request)
		if err != nil {
			return "", err
		}
		text += page.Text
		if page.NextPageToken == "" {
			return text, nil
		}
		request.PageToken = page.NextPageToken
	}
}
