# needs: root
# needs: module PIL
# run: progtc-run --policy ci FILE && progtc-run --policy standard FILE && progtc-run --policy data FILE
# status: 0
# stdout: DejaVu Sans
# stdout: DejaVu Sans
# stdout: DejaVu Sans
# stderr: nothing
from PIL import Image, ImageDraw, ImageFont
font = ImageFont.truetype("DejaVuSans.ttf", 12)
image = Image.new("RGB", (80, 20))
ImageDraw.Draw(image).text((1, 1), "text", font=font)
image.save("/tmp/i.png")
print(font.getname()[0])
