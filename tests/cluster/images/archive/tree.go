package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

const certificates = "/etc/ssl/certs/ca-certificates.crt"

// tree is the content of an image: path without the leading slash → entry. All of it is owned by
// root, so that a program cannot change its own image.
type tree map[string]entry

type entry struct {
	mode    int64
	folder  bool
	content []byte
}

func newTree() tree {
	return tree{}
}

func (t tree) folder(name string, mode int64) {
	t.put(name, entry{mode: mode, folder: true})
}

func (t tree) file(name string, mode int64, content []byte) {
	t.put(name, entry{mode: mode, content: content})
}

func (t tree) put(name string, e entry) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if name == "" || name == "." {
		return
	}
	if _, known := t[path.Dir(name)]; !known && path.Dir(name) != "." {
		t.folder(path.Dir(name), 0o755)
	}
	t[name] = e
}

// base is what every image holds: users, certificates if this machine has any, and /tmp.
func (t tree) base(user, workdir string) {
	users, groups := "root:x:0:0:root:/:/bin/sh\n", "root:x:0:\n"
	if user != "0" {
		users += fmt.Sprintf("app:x:%s:%s:app:/:/bin/sh\n", user, user)
		groups += fmt.Sprintf("app:x:%s:\n", user)
	}
	t.file("/etc/passwd", 0o644, []byte(users))
	t.file("/etc/group", 0o644, []byte(groups))
	t.file("/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
	t.folder("/tmp", 0o1777)
	t.folder(workdir, 0o1777)
	if content, err := os.ReadFile(certificates); err == nil {
		t.file(certificates, 0o644, content)
	}
}

// program adds a file as executable, and the libraries it is linked with at their own paths.
func (t tree) program(source, place string) error {
	if info, err := os.Stat(source); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is not a file", source))
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	t.file(place, 0o755, content)
	libraries, err := linked(source)
	if err != nil {
		return err
	}
	for _, library := range libraries {
		if content, err = os.ReadFile(library); err != nil {
			return err
		}
		t.file(library, 0o755, content)
	}
	return nil
}

var libraryPath = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)

// linked asks ldd. It fails for a static program and for a script, which need nothing.
func linked(program string) ([]string, error) {
	output, err := exec.Command("ldd", program).CombinedOutput()
	if strings.Contains(string(output), "not found") {
		return nil, fmt.Errorf("a library of %s is missing on this machine:\n%s", program, output)
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, match := range libraryPath.FindAllStringSubmatch(string(output), -1) {
		found = append(found, match[1])
	}
	return found, nil
}

func (t tree) tar() ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := t[name]
		header := tar.Header{Name: name, Mode: e.mode, Typeflag: tar.TypeReg, Size: int64(len(e.content)), Format: tar.FormatPAX}
		if e.folder {
			header.Name, header.Typeflag = name+"/", tar.TypeDir
		}
		if err := writer.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(e.content); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), writer.Close()
}
