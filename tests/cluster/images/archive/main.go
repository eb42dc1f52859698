// image-archive packs programs into a container image without a container engine: the programs,
// the libraries that ldd names, users, certificates and /tmp, in one layer.
//
// The same files give the same image on every run: the layer is sorted and holds no times.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

type options struct {
	name, out, entrypoint, user, workdir string
	files                                []string
}

func main() {
	o := options{}
	flag.StringVar(&o.name, "name", "", "`reference` of the image, such as exam-service:dev")
	flag.StringVar(&o.out, "out", "", "archive `file` to write")
	flag.StringVar(&o.entrypoint, "entrypoint", "", "program and arguments, parted by spaces (default: the first FILE's place)")
	flag.StringVar(&o.user, "user", "65532", "number of the user, and of its group, that the program runs as")
	flag.StringVar(&o.workdir, "workdir", "/", "`folder` that the program starts in; every user may write to it unless it is /")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: image-archive --name REF --out FILE [OPTION…] FILE[:DEST]…\nDEST is a path in the image; without it a FILE goes to /usr/local/bin.")
		flag.PrintDefaults()
	}
	flag.Parse()
	o.files = flag.Args()
	if o.name == "" || o.out == "" || len(o.files) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	digest, err := pack(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image-archive:", err)
		os.Exit(1)
	}
	fmt.Println(o.name, digest)
}

func pack(o options) (string, error) {
	reference, err := name.NewTag(o.name)
	if err != nil {
		return "", err
	}
	files := newTree()
	files.base(o.user, o.workdir)
	entrypoint := strings.Fields(o.entrypoint)
	for _, file := range o.files {
		source, place, found := strings.Cut(file, ":")
		if !found {
			place = "/usr/local/bin/" + filepath.Base(source)
		}
		if len(entrypoint) == 0 {
			entrypoint = []string{place}
		}
		if err := files.program(source, place); err != nil {
			return "", err
		}
	}
	layer, err := files.tar()
	if err != nil {
		return "", err
	}
	image, err := assemble(layer, v1.Config{
		Entrypoint: entrypoint,
		User:       o.user + ":" + o.user,
		WorkingDir: o.workdir,
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "SSL_CERT_FILE=" + certificates},
	})
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	// Under another name first: nobody must find half an archive.
	if err := tarball.WriteToFile(o.out+".part", reference, image); err != nil {
		return "", err
	}
	return digest.String(), os.Rename(o.out+".part", o.out)
}

func assemble(layer []byte, config v1.Config) (v1.Image, error) {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		RootFS:       v1.RootFS{Type: "layers"},
		Config:       config,
	})
	if err != nil {
		return nil, err
	}
	// Not compressed: it is read once, on the machine that wrote it.
	return mutate.AppendLayers(image, static.NewLayer(layer, types.DockerUncompressedLayer))
}
