package smolwf

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// undocumented returns what a package exports without saying what it is: types, functions, methods, fields,
// and groups of constants and variables.
func undocumented(t *testing.T, set *token.FileSet, files ...*ast.File) []string {
	pkg, err := doc.NewFromFiles(set, files, "smolwf")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ask := func(name, said string) {
		if ast.IsExported(name[strings.LastIndex(name, ".")+1:]) && strings.TrimSpace(said) == "" {
			found = append(found, name)
		}
	}
	funcs := func(of string, all []*doc.Func) {
		for _, f := range all {
			ask(of+f.Name, f.Doc)
		}
	}
	funcs("", pkg.Funcs)
	for _, each := range pkg.Types {
		ask(each.Name, each.Doc)
		funcs("", each.Funcs)
		funcs(each.Name+".", each.Methods)
		found = append(found, silentFields(each)...)
	}
	return found
}

// silentFields returns the fields of a struct that have no comment of their own, and that no other's names.
func silentFields(of *doc.Type) []string {
	var found []string
	for _, spec := range of.Decl.Specs {
		body, isStruct := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if !isStruct {
			continue
		}
		said := ""
		for _, field := range body.Fields.List {
			own := field.Doc.Text() + field.Comment.Text()
			said += own
			for _, name := range field.Names {
				if name.IsExported() && own == "" && !strings.Contains(said, name.Name) {
					found = append(found, of.Name+"."+name.Name)
				}
			}
		}
	}
	return found
}

func parse(t *testing.T, set *token.FileSet, name string, text any) *ast.File {
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhateverIsExportedSaysWhatItIs(t *testing.T) {
	for _, folder := range []string{".", "smolwftest"} {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		set := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				files = append(files, parse(t, set, name, nil))
			}
		}
		if found := undocumented(t, set, files...); len(found) > 0 {
			t.Error("without a comment:", folder, strings.Join(found, " "))
		}
	}
}

func TestWhatLacksACommentIsFound(t *testing.T) {
	set := token.NewFileSet()
	file := parse(t, set, "bare.go", `package smolwf
// Said says.
type Said struct {
	Silent int
	// Told is told.
	Told int
}
func (Said) Quiet() {}
func Bare() {}
`)
	if found := undocumented(t, set, file); !slices.Equal(found, []string{"Bare", "Said.Quiet", "Said.Silent"}) {
		t.Error(found)
	}
}
