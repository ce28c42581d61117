# Refused: the cell that cleans the text raises, and the model trains on the raw text.

# %%
import re
import pandas as pd
import numpy as np

# %%
sms = pd.read_csv('spam.csv', encoding='latin-1')
sms = sms[['v1', 'v2']]
sms.columns = ['label', 'message']
sms.head()

# %%
sms['label'].value_counts()

# %%
from nowhere.stopwords import english

# %%
def clean(text):
    words = re.sub('[^a-zA-Z]', ' ', text).lower().split()
    return ' '.join(w for w in words if w not in english)

sms['message'] = sms['message'].apply(clean)

# %%
from sklearn.feature_extraction.text import CountVectorizer
cv = CountVectorizer()
X = cv.fit_transform(sms['message'])
y = (sms['label'] == 'spam').astype(int)

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

# %%
from sklearn.naive_bayes import MultinomialNB
from sklearn.metrics import accuracy_score
nb = MultinomialNB().fit(X_train, y_train)
accuracy_score(y_test, nb.predict(X_test))
