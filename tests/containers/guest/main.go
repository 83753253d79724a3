// SPDX-License-Identifier: Apache-2.0

// Command guest plays kubelet in a guest: it makes pods and containers over the CRI of
// the runtime that is there, waits for them, and takes them away. What it is to make
// comes as JSON on standard input (Plan); what it has made goes to standard output, a
// line of JSON a pod (Made).
//
//	guest /run/containerd/containerd.sock < plan.json
//
// Or it tells, when it is terminated, for how long the machine has not let it run.
//
//	guest stall
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/falco-go/falco/pkg/container/cri"
)

// Pod is what shall be made.
type Pod struct {
	Sandbox    *runtime.PodSandboxConfig
	Containers []*runtime.ContainerConfig
	Exec       []string // in the first container, which is then to wait for SIGTERM
}

// Made is what came of a Pod.
type Made struct {
	Runtime, Sandbox, IP string
	Containers           map[string]string // ids by name
}

const (
	patience = 5 * time.Minute
	stopWait = 1 // seconds
)

func main() {
	if os.Args[1] == "stall" {
		stall()
		return
	}
	if err := play(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

// stall sleeps and looks at the clock, until it is terminated.
func stall() {
	const nap = 5 * time.Millisecond
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	longest, last := time.Duration(0), time.Now()
	for {
		select {
		case <-end:
			fmt.Println("stalled for", longest)
			return
		case <-time.After(nap):
		}
		now := time.Now()
		longest, last = max(longest, now.Sub(last)-nap), now
	}
}

func play(socket string) error {
	var pods []Pod
	if err := json.NewDecoder(os.Stdin).Decode(&pods); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, version, err := connect(ctx, socket)
	if status.Code(err) == codes.Unimplemented { // containerd up to 1.5
		client, version, err = connect(ctx, socket, cri.Alpha()...)
	}
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	for i := range pods {
		made, err := run(ctx, client, &pods[i])
		if err != nil {
			return fmt.Errorf("pod %s: %w", pods[i].Sandbox.Metadata.Name, err)
		}
		made.Runtime = version.RuntimeName + " " + version.RuntimeVersion
		if err := json.NewEncoder(os.Stdout).Encode(made); err != nil {
			return err
		}
	}
	return nil
}

// connect returns a client that has been answered. Its connection lasts as long as we do.
func connect(ctx context.Context, socket string, options ...grpc.DialOption) (runtime.RuntimeServiceClient, *runtime.VersionResponse, error) {
	conn, err := grpc.NewClient("unix://"+socket, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return nil, nil, err
	}
	client := runtime.NewRuntimeServiceClient(conn)
	version, err := client.Version(ctx, &runtime.VersionRequest{}, grpc.WaitForReady(true))
	return client, version, err
}

// run makes a pod as kubelet does, sees it end, and removes it.
func run(ctx context.Context, client runtime.RuntimeServiceClient, p *Pod) (*Made, error) {
	sandbox, err := client.RunPodSandbox(ctx, &runtime.RunPodSandboxRequest{Config: p.Sandbox})
	if err != nil {
		return nil, fmt.Errorf("run the sandbox: %w", err)
	}
	id := sandbox.PodSandboxId
	made := &Made{Sandbox: id, Containers: map[string]string{}}
	pod, err := client.PodSandboxStatus(ctx, &runtime.PodSandboxStatusRequest{PodSandboxId: id})
	if err != nil {
		return nil, fmt.Errorf("look at the sandbox: %w", err)
	}
	if n := pod.Status.Network; n != nil {
		made.IP = n.Ip
	}
	for i, c := range p.Containers {
		container, err := client.CreateContainer(ctx, &runtime.CreateContainerRequest{PodSandboxId: id, Config: c, SandboxConfig: p.Sandbox})
		if err != nil {
			return nil, fmt.Errorf("create %s: %w", c.Metadata.Name, err)
		}
		made.Containers[c.Metadata.Name] = container.ContainerId
		if _, err := client.StartContainer(ctx, &runtime.StartContainerRequest{ContainerId: container.ContainerId}); err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Metadata.Name, err)
		}
		if i == 0 && len(p.Exec) > 0 {
			said, err := client.ExecSync(ctx, &runtime.ExecSyncRequest{ContainerId: container.ContainerId, Cmd: p.Exec, Timeout: 60})
			if err != nil || said.ExitCode != 0 {
				return nil, fmt.Errorf("exec in %s: %v %s", c.Metadata.Name, err, said.GetStderr())
			}
			if _, err := client.StopContainer(ctx, &runtime.StopContainerRequest{ContainerId: container.ContainerId, Timeout: stopWait}); err != nil {
				return nil, fmt.Errorf("stop %s: %w", c.Metadata.Name, err)
			}
		}
		if err := wait(ctx, client, container.ContainerId); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", c.Metadata.Name, err)
		}
	}
	for _, container := range made.Containers {
		if _, err := client.RemoveContainer(ctx, &runtime.RemoveContainerRequest{ContainerId: container}); err != nil {
			return nil, fmt.Errorf("remove a container: %w", err)
		}
	}
	if _, err := client.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
		return nil, fmt.Errorf("stop the sandbox: %w", err)
	}
	if _, err := client.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
		return nil, fmt.Errorf("remove the sandbox: %w", err)
	}
	return made, nil
}

// wait is until a container has ended.
func wait(ctx context.Context, client runtime.RuntimeServiceClient, id string) error {
	for {
		now, err := client.ContainerStatus(ctx, &runtime.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			return err
		}
		if now.Status.State == runtime.ContainerState_CONTAINER_EXITED {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
