/* Compiles HLSL files with Microsoft's FXC or DXC, for tests/direct3d: direct3d.exe fxc|dxc LIBRARY FILE...
 *
 * The first line of a file is a comment with the name of its entry point. Options are those that wgpu passes. Prints a line for each
 * file, and exits with 1 if one was refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* An object of COM: its first word points at its methods. */
typedef struct Object { void **methods; } Object;
typedef HRESULT(WINAPI *D3DCompile)(const void *, SIZE_T, const char *, const void *, void *, const char *, const char *, UINT, UINT,
                                    Object **, Object **);
typedef HRESULT(WINAPI *DxcCreateInstance)(const GUID *, const GUID *, Object **);
typedef struct { const void *text; SIZE_T length; UINT encoding; } DxcBuffer;
typedef HRESULT(WINAPI *DxcCompile)(Object *, const DxcBuffer *, const wchar_t **, UINT, void *, const GUID *, Object **);
typedef HRESULT(WINAPI *GetBlob)(Object *, Object **);
typedef HRESULT(WINAPI *GetStatus)(Object *, HRESULT *);

/* The methods that are called, by their places. */
enum { BLOB_TEXT = 3, COMPILER_COMPILE = 3, RESULT_STATUS = 3, RESULT_ERRORS = 5 };

static const GUID COMPILER_CLASS = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};
static const UINT STRICTNESS = 1 << 11, UTF8 = 65001;

static const char *words(Object *blob) {
    return blob ? ((const char *(WINAPI *)(Object *))blob->methods[BLOB_TEXT])(blob) : "no words";
}

static HRESULT by_fxc(FARPROC compile, const char *text, SIZE_T length, const char *entry, Object **errors) {
    Object *code = NULL;
    return ((D3DCompile)compile)(text, length, NULL, NULL, NULL, entry, "cs_5_1", STRICTNESS, 0, &code, errors);
}

static HRESULT by_dxc(Object *compiler, const char *text, SIZE_T length, const char *entry, Object **errors) {
    wchar_t wide[64];
    mbstowcs(wide, entry, 64);
    const wchar_t *options[] = {L"-E", wide, L"-T", L"cs_6_0", L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    DxcBuffer buffer = {text, length, UTF8};
    Object *result = NULL;
    HRESULT status = ((DxcCompile)compiler->methods[COMPILER_COMPILE])(compiler, &buffer, options, 8, NULL, &RESULT, &result);
    if (result) {
        ((GetStatus)result->methods[RESULT_STATUS])(result, &status);
        ((GetBlob)result->methods[RESULT_ERRORS])(result, errors);
    }
    return status;
}

int main(int count, char **arguments) {
    int refused = 0, dxc = count > 1 && !strcmp(arguments[1], "dxc");
    HMODULE library = count > 2 ? LoadLibraryA(arguments[2]) : NULL;
    FARPROC first = library ? GetProcAddress(library, dxc ? "DxcCreateInstance" : "D3DCompile") : NULL;
    Object *compiler = NULL;
    if (!first || (dxc && ((DxcCreateInstance)first)(&COMPILER_CLASS, &COMPILER3, &compiler) < 0)) {
        printf("the compiler cannot be loaded\n");
        return 2;
    }
    for (int at = 3; at < count; at++) {
        static char text[1 << 22];
        char entry[64] = "";
        FILE *file = fopen(arguments[at], "rb");
        SIZE_T length = file ? fread(text, 1, sizeof text - 1, file) : 0;
        if (file) fclose(file);
        text[length] = 0;
        sscanf(text, "// %63s", entry);
        Object *errors = NULL;
        DWORD start = GetTickCount();
        HRESULT status = dxc ? by_dxc(compiler, text, length, entry, &errors) : by_fxc(first, text, length, entry, &errors);
        printf("%s: %s, %lu ms\n", arguments[at], status < 0 ? "REFUSED" : "ok", GetTickCount() - start);
        if (status < 0) printf("%s\n", words(errors));
        fflush(stdout);
        refused |= status < 0;
    }
    return refused;
}
