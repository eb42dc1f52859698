package volumes

import (
	"context"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// expand gives a claim the larger size it asks for. A folder has no size of its own, so this only
// writes the numbers that a resizer writes after its work: first the volume's, then the claim's.
func expand(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err := factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(added any) { grow(ctx, client, added.(*v1.PersistentVolumeClaim)) },
		UpdateFunc: func(_, updated any) {
			grow(ctx, client, updated.(*v1.PersistentVolumeClaim))
		},
	})
	factory.Start(ctx.Done())
	return err
}

// grow does nothing for a claim that has what it asks for. A write that fails because somebody else
// wrote at the same time needs no retry: that other write brings the claim here again.
func grow(ctx context.Context, client kubernetes.Interface, claim *v1.PersistentVolumeClaim) {
	wanted, has := claim.Spec.Resources.Requests[v1.ResourceStorage], claim.Status.Capacity[v1.ResourceStorage]
	if claim.Status.Phase != v1.ClaimBound || wanted.Cmp(has) <= 0 {
		return
	}
	volume, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil || volume.Spec.Local == nil {
		return
	}
	if size := volume.Spec.Capacity[v1.ResourceStorage]; size.Cmp(wanted) < 0 {
		volume.Spec.Capacity[v1.ResourceStorage] = wanted
		if _, err = client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
			klog.ErrorS(err, "cannot grow the volume", "volume", volume.Name)
			return
		}
	}
	claim = claim.DeepCopy()
	claim.Status.Capacity[v1.ResourceStorage] = wanted
	claim.Status.Conditions = nil
	if _, err = client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		klog.ErrorS(err, "cannot grow the claim", "claim", klog.KObj(claim))
	}
}
