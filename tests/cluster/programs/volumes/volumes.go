// Package volumes makes a folder and a local PersistentVolume for every claim of the test
// cluster's default class, and removes both when the claim is gone.
//
// The controller manager's own hostPath provisioner would be shorter, but a hostPath volume
// ignores fsGroup, so a pod that does not run as root could not write to it.
package volumes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Name is the provisioner that the StorageClass names.
const Name = "adaptive-exam.test/local"

// NewCommand is the program `local-provisioner`.
func NewCommand() *cobra.Command {
	var kubeconfig, root string
	command := &cobra.Command{
		Use:   "local-provisioner",
		Short: "Makes local volumes for claims of class " + Name,
		RunE: func(command *cobra.Command, _ []string) error {
			return run(command.Context(), kubeconfig, root)
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&root, "root", "", "folder that holds one folder per node, and below it one per volume")
	return command
}

func run(ctx context.Context, kubeconfig, root string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err = expand(ctx, client); err != nil {
		return err
	}
	controller.NewProvisionController(
		ctx, client, Name, folders{root: root},
		controller.LeaderElection(false),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](200*time.Millisecond, 5*time.Second)),
	).Run(ctx)
	return nil
}

type folders struct{ root string }

func (f folders) path(node, volume string) string {
	return filepath.Join(f.root, node, volume)
}

// Provision makes the folder as a fresh disk would look: owned by root, closed to others. A pod
// that is not root gets in by its fsGroup alone, as it would on a disk of a cloud.
func (f folders) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	if options.SelectedNodeName == "" {
		return nil, controller.ProvisioningFinished, fmt.Errorf("no node selected: the class must wait for the first consumer")
	}
	node := options.SelectedNodeName
	path := f.path(node, options.PVName)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: options.PVC.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: path}},
			NodeAffinity:                  on(node),
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the folder. It builds the path anew instead of trusting the one in the volume.
func (f folders) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	nodes, err := os.ReadDir(f.root)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := os.RemoveAll(f.path(node.Name(), volume.Name)); err != nil {
			return err
		}
	}
	return nil
}

func on(node string) *v1.VolumeNodeAffinity {
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
		MatchExpressions: []v1.NodeSelectorRequirement{{
			Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node},
		}},
	}}}}
}
